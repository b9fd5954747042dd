-- redundancy: the redundancy checker. A combination is taken once; what is taken is dispatched, or waits for its locks.
--
-- Guarantees: taking and dispatching are one step. The identity of a parameter set is its operation and the number of each
-- input; while it is open its record says that it is taken, before that its place in a box, and after that the box
-- has been walked past it, so nothing has to be remembered of what has ended.
-- KEYS: none, it is called by other files
-- ARGV: none
-- Returns: R.record, R.keep, R.packed, R.refuse_too_many, R.take, R.taken

-- a record: state, tries, lost, emitted, given, leases, worker, locks, how many children are open (-1: it has asked for none), how
-- the others ended,
-- the contexts of all of them
function R.record(c, id)
  local raw = get(c, 'p' .. id)
  if not raw or type(raw) == 'table' then return raw or nil end
  local f = cmsgpack.unpack(raw)
  if not S.STATES[f[1]] then error('the state of the parameter set ' .. id .. ' is ' .. tostring(f[1])) end
  local r = { id = id, op = R.op_of(id), numbers = R.numbers_of(id), state = f[1], tries = f[2], lost = f[3], emitted = f[4],
    given = f[5], leases = f[6], worker = f[7], locks = f[8], waiting = f[9], endings = f[10], children = f[11] }
  c.read['p' .. id] = r  -- whoever asks for it in this call means the same one
  return r
end

function R.keep(c, r) put(c, 'p' .. r.id, r) end

local NONE = {}     -- nobody puts anything into this

function R.packed(r)
  if r.waiting == -1 and r.tries + r.lost + r.emitted + r.given == 0 and #r.locks + #r.endings + #r.children == 0 then
    return '\155' .. (spelt[r.state] or spell(r.state)) .. '\0\0\0\0' .. (spelt[r.leases] or spell(r.leases))
      .. (spelt[r.worker] or spell(r.worker)) .. '\144\255\144\144'  -- as below, of almost all
  end
  return cmsgpack.pack({ r.state, r.tries, r.lost, r.emitted, r.given, r.leases, r.worker, r.locks, r.waiting, r.endings,
    r.children })
end

function R.refuse_too_many(c, op, many, ranges)
  local limit = c.p.limits.parameter_sets
  local needed = c.taken + c.promised + many - c.forgiven[2]
  if limit < 0 or needed <= limit then return end
  local said = 'operation "' .. c.p.ops[op + 1].instance .. '" would need ' .. string.format('%.0f', needed) .. ' parameter sets'
  if ranges then
    local counts = {}
    for at, range in ipairs(ranges) do
      counts[at] = c.p.ops[op + 1].names[at] .. ': ' .. (range[2] - range[1])
    end
    said = said .. ' (new combinations of ' .. table.concat(counts, ', ') .. ')'
  end
  error({ 'ParameterSetLimitExceeded', said .. '; limit ' .. string.format('%.0f', limit) })
end

function R.take(c, op, numbers)
  R.refuse_too_many(c, op, 1)
  local id, new = word(op), false
  for at = 1, #numbers do
    id, new = id .. ':' .. word(numbers[at]), new or numbers[at] >= c.had
  end
  local field = 'p' .. id
  if c.set[field] or not new and get(c, field) then return end  -- what has come in this call has no record in the store
  local r = { id = id, op = op, numbers = numbers, state = 'taken', tries = 0, lost = 0, emitted = 0, given = 0, leases = 0,
    worker = '', locks = I.locks_of(c, numbers), waiting = -1, endings = NONE, children = NONE, new = true }
  if c.journal then J.set(c, 't', id) end
  c.open, c.backlog, c.taken, c.dirty = c.open + 1, c.backlog + 1, c.taken + 1, true
  P.count(c, op, 'taken')
  if c.ahead == op or c.ahead == id then return P.take_ahead(c, r) end
  if #r.locks == 0 or L.acquire(c, r) then P.dispatch(c, r) else R.keep(c, r) end
end

-- whether an operation has been at work before its context had so many inputs
local function has_been_active(c, op, upto)
  local operation, open = c.p.ops[op + 1], 0
  if not (c.sealed[operation.stage] or operation.stage == c.stage or operation.stage == c.failed_stage) then return false end
  for at, mark in ipairs(c.satisfied) do
    if math.floor(mark / 64) == op and c.opened[at] < upto then open = open + 1 end
  end
  return open == operation.groups
end

-- whether an operation takes an input the moment it comes, so that nothing of it is remembered
local function takes_at_once(c, op, number)
  local channel = I.channel(c, I.header(c, number)[1])
  if channel and channel.validator > 0 then channel = c.p.channels[channel.validator] end
  for _, target in ipairs(channel and channel.targets or {}) do
    if target[1] == op and target[2] then return true end
  end
  return false
end

-- whether a combination, by its places among the candidates, is still ahead in a box
local function is_ahead(box, places)
  local index = 0
  for at, range in ipairs(box[2]) do
    local place = places[at]
    if not place or place < range[1] or place >= range[2] then return false end
    index = index * (range[2] - range[1]) + place - range[1]
  end
  return index >= box[3]
end

-- whether a combination has been taken: its inputs have come in time, and no box that waits still has it ahead
function R.taken(c, op, numbers)
  local stage, places = c.p.ops[op + 1].stage, {}
  local upto = c.sealed[stage] or c.numbers
  if #numbers ~= c.p.ops[op + 1].n or not has_been_active(c, op, upto) then return false end
  for at, number in ipairs(numbers) do
    places[at] = number < upto and M.place(c, op, at - 1, number) or nil
    if not places[at] and not (number < upto and takes_at_once(c, op, number)) then return false end
  end
  I.fetch(c, 'b', c.box_first, c.box_next - 1)
  for at = c.box_first, c.box_next - 1 do
    local box = cmsgpack.unpack(get(c, 'b' .. word(at)))
    if box[1] == op and is_ahead(box, places) then return false end
  end
  return true
end
