-- forwarding: inputs of a context that its child contexts are to have, too.
--
-- Guarantees: child contexts that are held open get all of them at once, in canonical order, when nothing else of the parent can
-- give any more; past a limit of its own a child fails, and not the parent.
--
-- KEYS: none, it is called by other files
-- ARGV: none
-- Returns: C.release

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

local function feed(child, c, numbers)
  if child.journal then J.note(child, 'a') end
  S.guarded(child, function()
    S.count(child, #numbers)
    for _, number in ipairs(numbers) do S.give(child, { offer(child, c, number) }) end
  end)
end

local function forwarded(c, wanted, rank)
  local numbers = {}
  I.fetch(c, 'i', 0, c.numbers - 1)
  for number = 0, c.numbers - 1 do
    local known = I.channel(c, I.header(c, number)[1])
    if known and wanted[known.definition] then numbers[#numbers + 1] = number end
  end
  table.sort(numbers, function(a, b) return rank[a] < rank[b] end)
  return numbers
end

function C.release(c)
  c.holding = {}
  local rank, held = nil, {}
  C.each(c, function(child, r)
    if not child.held then return end
    rank = rank or O.ranks(c)
    held[#held + 1] = { child, r }
  end)
  for _, pair in ipairs(held) do
    feed(pair[1], c, forwarded(c, c.p.ops[R.op_of(pair[2].id) + 1].forwards, rank))
  end
  for _, pair in ipairs(held) do
    if pair[1].held then S.stop_intake(pair[1]) end
  end
end
