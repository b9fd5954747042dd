-- children: an operation that runs data flows waits for child contexts, and holds no worker while it does.
--
-- Guarantees: when the last child has ended its parameter set is dispatched again, in the same step; where inputs are forwarded,
-- children are held open until nothing else of the parent can give any more, and get them all at once, in
-- canonical order; when the parent fails, its children are cancelled and waited for.
-- A child is {name, plan digest, strict, offers, failure}: one with a failure cannot be opened and ends at once.
-- KEYS: none, it is called by other files
-- ARGV: none
-- Returns: C.bear, C.open, C.ended, C.resume, C.each

-- parameter sets that ask for the same name each get one of their own, the same one in every try
local function name_of(c, r, child)
  local name = c.p.ops[r.op + 1].instance .. '/' .. child
  local places = 'm' .. redis.sha1hex(name)
  local place = tonumber(get(c, places .. ':' .. r.id))
  if not place then
    place = tonumber(get(c, places) or '0') + 1
    put(c, places, tostring(place))
    put(c, places .. ':' .. r.id, tostring(place))
  end
  return c.name .. '/' .. name .. (place > 1 and '#' .. place or '')
end

local function without(list, id)
  for at, known in ipairs(list) do
    if known == id then return table.remove(list, at) end
  end
end

-- open some children, of which the first has this place among all
function C.bear(c, r, children, first, hold)
  local parent = c.id .. ' ' .. r.id
  for at, child in ipairs(children) do
    local name, failure = name_of(c, r, child[1]), child[5]
    local known = child[6] or redis.call('HEXISTS', K.names, name) == 1 or redis.call('HEXISTS', key('ended'), name) == 1
    if not failure and known then
      local said = 'there is a context "' .. name .. '" already; a context is known by its name, so give this one another'
      failure = { reason = 'DuplicateContext', message = said }
    end
    if failure then
      failure.context = name
      C.ended(parent, first + at - 1, cmsgpack.pack({ name, child[2], cmsgpack.pack(failure), {}, {}, 0, 0, {}, {} }))
    else
      local id = S.new_id()
      local parent_set = R.record(c, r.id)
      parent_set.children[#parent_set.children + 1] = id
      R.keep(c, parent_set)
      S.open(id, { name = name, plan = child[2], strict = child[3], parent = parent, place = first + at - 1, depth = c.depth + 1,
        lineage = c.lineage, group = c.group, journal = c.journal }, child[4], hold)
    end
  end
end

function C.open(c, r, children)
  local hold = c.p.ops[r.op + 1].forwards ~= false and #children > 0
  r.state, r.waiting, r.endings, r.children = 'parent', #children, {}, {}
  for at = 1, #children do r.endings[at] = '' end
  c.kids[#c.kids + 1] = r.id
  R.keep(c, r)
  if #children == 0 then
    C.resume(c, r)
  elseif not C.put_off(c, r, children) then
    if hold then c.holding[#c.holding + 1] = r.id end
    C.bear(c, r, children, 1, hold)
    S.quiet(c)
  end
end

-- the child at a place among those of its parameter set has ended
local function child_ended(id, set, place, ending)
  local c = context(id)
  local r = c and R.record(c, set)
  if not r or r.state ~= 'parent' then return end
  if c.journal then J.note(c, 'k', r.id, J.how(ending)) end
  r.waiting = r.waiting - 1
  r.endings[place] = ending
  R.keep(c, r)
  if r.waiting == 0 then C.resume(c, r) end
end

function C.ended(parent, place, ending)
  local id, set = parts(parent)
  S.sound(id, child_ended, id, set, place, ending)
end

function C.resume(c, r)
  without(c.kids, r.id)
  without(c.holding, r.id)  -- where its children ended before anything was forwarded
  c.dirty = true
  if c.stage ~= c.p.ops[r.op + 1].stage then  -- dropped meanwhile
    if c.journal then J.set(c, 'n', r.id) end
    drop(c, 'p' .. r.id)
    c.open = c.open - 1
    S.quiet(c)
    return
  end
  r.state, c.backlog = 'taken', c.backlog + 1
  P.dispatch(c, r)
end

-- call `act` with each child that is open, and the record of its parameter set
function C.each(c, act)
  local kids = {}
  for at, id in ipairs(c.kids) do kids[at] = id end
  for _, id in ipairs(kids) do
    local r = R.record(c, id)
    for _, child in ipairs(r and r.children or {}) do
      local other = context(child)
      if other then act(other, r) end
    end
  end
end
