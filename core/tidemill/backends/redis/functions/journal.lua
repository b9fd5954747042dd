-- journal: what happens to a context that was opened with one, noted as a call goes on and written once at its end.
--
-- Guarantees: facts stand in the order in which they happened, and are written in the step in which they did; of a context whose
-- journal is off nothing is noted. It keeps about as many events as it was opened for, and outlives the context for the retention
-- of its ending; those of child contexts go with that of the one above them all.
-- Keys: `j:<context>` a stream: each entry has the facts of one call, and the number of the last as its id; `journals` the name of a
-- context → its number and plan; `kin:<context>` the names of the contexts below it.
-- A fact: a letter and what it says, one msgpack after the other; see `journal.py`.
-- KEYS: none, it is called by other files
-- ARGV: none
-- Returns: J.set, J.note, J.input, J.opened, J.how, J.write, J.ended, J.last, J.broken, J.forget, and the chore: kin

local LARGE = 1024      -- bytes above which the value of an input is not repeated here, but its size
local RESULTS = 65536   -- bytes above which results are not

local function log_of(c)
  local log = c.log
  if not log then
    log = { n = 0 }
    c.log = log
  end
  c.events, c.dirty = c.events + 1, true
  return log, log.n
end

-- most facts: a letter and a parameter set
function J.set(c, kind, id)
  local log, n = log_of(c)
  log[n + 1], log[n + 2], log.n = kind, id, n + 2
end

function J.note(c, kind, ...)
  local log, n = log_of(c)
  local said = { ... }
  log[n + 1], log.n = kind, n + 1 + #said
  for at = 1, #said do log[n + 1 + at] = said[at] end
end

-- made_of: the numbers of the inputs of the parameter set that gave it; of what is given from outside, its parents
function J.input(c, number, channel, value, made_of, emission, element, canonical)
  local log, n = log_of(c)
  local large = #value > LARGE
  log[n + 1], log[n + 2], log[n + 3], log[n + 4] = 'i', number, channel, made_of
  log[n + 5], log[n + 6], log[n + 7], log[n + 8] = emission, element, large and #value or value, canonical or ''
  log[n + 9], log.n = c.uid or '', n + 9
  c.uid = nil
end

-- a context begins: what is left of the journal of an earlier one of its name goes
function J.opened(c)
  J.forget(c.name)
  c.events = 0
  redis.call('HSET', key('journals'), c.name, c.id .. ' ' .. c.plan)
  local id, set = string.match(c.parent, '^(%d+) (%S+)$')
  local above = id and context(id)
  if above then
    c.journal = above.journal
    redis.call('SADD', key('kin', c.journal[2]), c.name)
  else
    c.journal[2] = c.id
    redis.call('ZREM', key('due'), 'j' .. c.name)
  end
  J.note(c, 'o', c.plan, c.strict, above and above.name or '', above and above.p.ops[R.op_of(set) + 1].instance or '', set or '')
end

-- the name of a context that has ended, and whether it has failed
function J.how(ending)
  local said = cmsgpack.unpack(ending)
  return said[1], said[3] ~= ''
end

function J.write(c)
  local log, parts, at = c.log, {}, key('j', c.id)
  c.log = nil
  for first = 1, log.n, 4000 do
    parts[#parts + 1] = cmsgpack.pack(unpack(log, first, math.min(first + 3999, log.n)))
  end
  local id, oldest = word(c.events) .. '-0', c.events - c.journal[1] + 1
  redis.call('XADD', at, 'MINID', word(math.max(oldest, 1)), id, 'e', table.concat(parts))
end

-- results: {operation, parameter set, value}…
function J.ended(c, results, failures)
  local size = 0
  for _, one in ipairs(results) do size = size + #one[3] end
  J.note(c, 'e', c.failure, failures, c.notes, size <= RESULTS and results or false)
  J.write(c)
end

-- the number of the last event
function J.last(id)
  local last = redis.call('XREVRANGE', key('j', id), '+', '-', 'COUNT', 1)[1]
  return last and tonumber(string.match(last[1], '^%d+')) or 0
end

-- a context that cannot be read has ended with a failure -> whether it has a journal
function J.broken(id, name, failure)
  local said = redis.call('HGET', key('journals'), name)
  if not said or string.match(said, '^%d+') ~= id then return false end
  redis.call('XADD', key('j', id), word(J.last(id) + 2) .. '-0', 'e', cmsgpack.pack('F', failure, 'e', failure, {}, {}, {}))
  return true
end

-- -> how many journals there were of that name, 0 or 1
function J.forget(name)
  local said = redis.call('HGET', key('journals'), name)
  if not said then return 0 end
  local id = string.match(said, '^%d+')
  redis.call('HDEL', key('journals'), name)
  redis.call('UNLINK', key('j', id))
  if redis.call('EXISTS', key('kin', id)) == 1 then X.push('kin', id) end
  return 1
end

function X.DO.kin(id)
  local names = redis.call('SPOP', key('kin', id), 64)
  for _, name in ipairs(names) do J.forget(name) end
  return #names < 64 or '0'
end
