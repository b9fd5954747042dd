-- holding: what each worker holds, noted as a call goes on and written once at its end.
--
-- Guarantees: `held:<worker>` says after each call what the records of parameter sets say.
--
-- KEYS: none, it is called by other files
-- ARGV: none
-- Returns: P.hold_nothing, P.hold, P.write_held

local held = {}     -- worker -> parameter set -> the number of its lease, false: not any more; of this call

function P.hold_nothing() held = {} end  -- what a call that broke off has noted is not so

-- note that a worker holds a parameter set under a number, or (false) that it does not any more
function P.hold(c, r, lease)
  local sets = held[r.worker] or {}
  held[r.worker] = sets
  sets[c.id .. ' ' .. r.id] = lease
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
