-- holding: what each worker holds, noted as a call goes on and written once at its end.
--
-- Guarantees: `held:<worker>` says after each call what the records of parameter sets say.
--
-- KEYS: none, it is called by other files
-- ARGV: none
-- Returns: P.hold_nothing, P.hold, P.lapsed, P.write_held

local held = {}     -- worker -> parameter set -> the number of its lease, false: not any more; of this call

function P.hold_nothing() held = {} end  -- what a call that broke off has noted is not so

-- note that a worker holds a parameter set under a number, or (false) that it does not any more; where it takes a place of its
-- operation the plan of that goes along, as the place is to be given back also when the context is gone
function P.hold(c, r, lease)
  if lease and c.journal then J.note(c, 'l', r.id, r.worker, lease) end
  local sets = held[r.worker] or {}
  held[r.worker] = sets
  if not lease and r.new then  -- it was leased in this call
    sets[c.id .. ' ' .. r.id] = nil
    return
  end
  local limited = lease and c.p.ops[r.op + 1].concurrency > 0
  sets[c.id .. ' ' .. r.id] = limited and string.format('%.0f ', lease) .. c.plan or lease
end

-- of a context that is no more a runner holds nothing any longer, nor a place of its operation
function P.lapsed(worker, id, set)
  local entry = id .. ' ' .. set
  if held[worker] and held[worker][entry] ~= nil then return end  -- it has ended in this call
  local said = redis.call('HGET', key('held', worker), entry)
  if not said then return end
  redis.call('HDEL', key('held', worker), entry)
  local plan = string.match(said, ' (%S+)$')
  if plan then P.freed(plan, R.op_of(set)) end
end

function P.write_held()
  for worker, sets in pairs(held) do
    local set, gone = {}, {}
    for id, lease in pairs(sets) do
      if lease then set[#set + 1], set[#set + 2] = id, lease else gone[#gone + 1] = id end
    end
    for at = 1, #set, 4000 do redis.call('HSET', key('held', worker), unpack(set, at, math.min(at + 3999, #set))) end
    for at = 1, #gone, 4000 do redis.call('HDEL', key('held', worker), unpack(gone, at, math.min(at + 3999, #gone))) end
  end
end
