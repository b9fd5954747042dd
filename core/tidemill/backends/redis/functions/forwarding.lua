-- forwarding: inputs of a context that its child contexts are to have, too.
--
-- Guarantees: child contexts that are held open get all of them, in canonical order, when nothing else of the parent can give any more,
-- and are not quiet before; past a limit of its own a child fails, and not the parent. Where there are many inputs, or many children,
-- a call looks at some inputs, or gives some to some children; what comes meanwhile is forwarded no more.
-- KEYS: none, it is called by other files
-- ARGV: none
-- Returns: C.release, and the chore: forward

local AT_ONCE = 128   -- inputs that are looked at, or given to children, in one call
local FEED = 64       -- inputs that one child is given in one call, where they are many
local CHILD = 8       -- what a child counts for that is given fewer

-- an input of the parent enters a child under its own origin if the child's plan knows that, else as a seed
local function offer(child, c, number)
  local head, value = I.header(c, number)
  local known = I.channel(c, head[1])
  local own = (child.p.by_origin[known.origin] or {})[known.definition] or (child.p.by_origin.wseed or {})[known.definition]
  if not own then
    own = { 'wseed', known.definition, 0, known.lock, known.dedupe }
  elseif child.p.channels[own].loose then
    own = { own, '', known.lock, known.dedupe }
  end
  return { own, value, {}, '', head[7], head[6] }
end

-- of the inputs that a child is given these, before which it was given some
local function feed(child, c, numbers, before, all)
  if child.journal and before == 0 then J.note(child, 'a') end
  I.fetch_some(c, 'i', numbers)
  S.guarded(child, function()
    if before == 0 then S.count(child, all) end
    for _, number in ipairs(numbers) do S.give(child, { offer(child, c, number) }) end
  end)
end

-- those of some inputs that are to be forwarded
local function forwarded(c, wanted, first, last)
  local numbers = {}
  I.fetch(c, 'i', first, last)
  for number = first, last do
    local known = I.channel(c, I.header(c, number)[1])
    if known and wanted[known.definition] then numbers[#numbers + 1] = number end
  end
  return numbers
end

-- the child at a place, if it still waits for what is forwarded; of another try of its parameter set it is another one
local function held_child(c, set, place)
  local r = R.record(c, set[1])
  if not r or r.children[1] ~= set[2] then return nil, true end
  local child = r.children[place] and context(r.children[place])
  return child and child.held and child, not r.children[place]
end

-- s: { op, sets: each with its first child, last: how many inputs there were, next: the first that was not looked at, sorting; set,
-- child, given: how far they are fed } -> whether that was all
local function feed_some(c, s)
  local all, room = O.sorted(c, s.sorting), AT_ONCE
  while room > 0 and s.sets[s.set] do
    local child, over = held_child(c, s.sets[s.set], s.child)
    local numbers = child and O.sorted_some(c, s.sorting, s.given, math.min(room, FEED)) or {}
    room = room - math.max(CHILD, #numbers)
    if child then feed(child, c, numbers, s.given, all) end
    s.given = s.given + #numbers
    if not child or not child.held or s.given >= all then
      if child and child.held then S.stop_intake(child) end
      s.child, s.given = s.child + 1, 0
    end
    if over then s.set, s.child = s.set + 1, 1 end
  end
  return not s.sets[s.set]
end

local function forward_some(id, s)
  local c = context(id)
  local operation = c and c.p.ops[s.op + 1]
  if not c or c.stage ~= operation.stage then return true end
  if s.next < s.last then
    local following = math.min(s.next + AT_ONCE, s.last)
    O.sort_some(c, s.sorting, forwarded(c, operation.forwards, s.next, following - 1))
    s.next = following
  elseif O.merge_some(c, s.sorting) and feed_some(c, s) then
    O.end_sorting(c, s.sorting)
    return true
  end
  return s
end

function X.DO.forward(id, _, s) return S.sound(id, forward_some, id, s) or true end

-- some of an operation at a time, as others forward other inputs
function C.release(c)
  local of, many = {}, 0
  I.fetch_some(c, 'p', c.holding)
  for _, id in ipairs(c.holding) do
    local op = R.op_of(id)
    of[op] = of[op] or { op = op, sets = {}, last = c.numbers, next = 0, set = 1, child = 1, given = 0 }
    local r = R.record(c, id)
    table.insert(of[op].sets, { id, r.children[1] })
    many = many + #r.children
  end
  c.holding, c.dirty = {}, true
  local at_once = c.numbers <= AT_ONCE and many * math.max(CHILD, c.numbers) <= AT_ONCE
  for _, s in pairs(of) do
    s.sorting = O.begin_sorting(at_once and '' or S.new_id())
    if not at_once then X.push('forward', c.id, '', s) end
    while at_once and loaded[c.id] and forward_some(c.id, s) ~= true do end
  end
end
