-- measuring: what workers have counted and measured of the operations of a data flow, added up.
--
-- Guarantees: what is said of a data flow is bounded, whatever its operations count, and goes when nobody adds to it any more;
-- histograms are numbers by bucket, so to add is to merge. Said again after a lost reply it counts twice: it decides nothing.
--
-- KEYS[1] tag: the hash tag of the shard
-- ARGV[1] request: packed with msgpack, an array whose parts stand above each function
-- Returns: what stands above each function

local FIELDS = 5000   -- numbers, about, that are kept of one data flow

-- measure: {data flow, seconds that it is kept for, {field, how: + or =, number}…} -> how many were left out
local function measure(a)
  local hash, left = key('measured', a[1]), 0
  local room = FIELDS - redis.call('HLEN', hash)
  for at = 3, #a do
    local field, how, number = unpack(a[at])
    if room <= 0 and redis.call('HEXISTS', hash, field) == 0 then
      left = left + 1
    elseif how == '=' then
      room = room - redis.call('HSET', hash, field, number)
    else
      redis.call('HINCRBYFLOAT', hash, field, number)
      room = room - 1
    end
  end
  redis.call('EXPIRE', hash, a[2])
  return left
end

-- measured: {data flow, cursor} -> {next cursor, {field, number, …}}: some of what is kept of a data flow
local function measured(a)
  local some = redis.call('HSCAN', key('measured', a[1]), a[2], 'COUNT', 500)
  return { some[1], some[2] }
end

redis.register_function({ function_name = 'tidemill_1_measure', callback = step(measure) })
redis.register_function({ function_name = 'tidemill_1_measured', callback = step(measured), flags = { 'no-writes' } })
