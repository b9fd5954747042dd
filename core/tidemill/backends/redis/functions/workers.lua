-- workers: who is alive. A worker is a supervisor that beats; its runners are alive for as long as it is.
--
-- Guarantees: no clock decides here: a worker is expired by compare-and-set on the count of its beats, by whoever has seen that
-- stand still for the length of a lease. All verbs may be repeated.
--
-- KEYS[1] tag: the hash tag of the shard
-- ARGV[1] request: packed with msgpack, an array whose parts stand above each function
-- Returns: what stands above each function

local SEEN = 128    -- workers, about, that one beat is told of

-- hello: {worker, what it says of itself} -> the epoch, or 'TAKEN': a worker of this id has been at work already
local function hello(a)
  local count = redis.call('HGET', K.beats, a[1])
  if count and count ~= '0' then return 'TAKEN' end
  redis.call('HSET', K.beats, a[1], '0')
  redis.call('HSET', key('said'), a[1], a[2])
  return W.epoch()
end

-- beat: {worker, count, cursor, now, what it says of itself now, if that has changed} -> {epoch, next cursor, {worker, count, …}}:
-- some of all workers; or 'GONE'
local function beat(a)
  local count = tonumber(redis.call('HGET', K.beats, a[1]) or 'gone')
  if not count then return 'GONE' end
  S.collect(a[4], SEEN)
  if a[5] then redis.call('HSET', key('said'), a[1], a[5]) end
  if a[2] > count then redis.call('HSET', K.beats, a[1], string.format('%.0f', a[2])) end
  local some = redis.call('HSCAN', K.beats, a[3], 'COUNT', SEEN)
  return { W.epoch(), some[1], some[2] }
end

-- expire: {worker, its count as it was seen} -> {how many were taken back, how many are left}, or 'ALIVE': it has beaten since
local function expire(a)
  local count = redis.call('HGET', K.beats, a[1])
  if not count then return { 0, 0 } end
  if count ~= a[2] then return 'ALIVE' end
  return { W.depart(a[1], count == 'released' and count or 'lost', 'the worker ' .. a[1] .. ' vanished') }
end

-- bye: {worker} -> {how many were handed back, how many are left}
local function bye(a) return { W.depart(a[1], 'released', '') } end

-- lose: {runner, pool, 'lost' or 'released', what happened} -> {how many were taken back, how many are left}
local function lose(a)
  local worker = W.worker_of(a[1])
  if worker == '' then
    redis.call('HDEL', key('runners', ''), a[1])
  elseif redis.call('HEXISTS', K.beats, worker) == 1 then
    redis.call('HSET', key('runners', worker), a[1], '')
  end
  return { W.take_back(a[1], a[2], a[3], a[4]) }
end

-- recover: {epoch} -> how many are left to hand back, for the next call with this epoch; 'STALE' for one that is over
local function recover(a)
  local epoch = W.epoch()
  if a[1] < epoch then return 'STALE' end
  forget_all()
  local moved, left, most = a[1] > epoch, 0, 256
  redis.call('SET', key('epoch'), string.format('%.0f', a[1]))
  K.epoch = a[1]
  local workers = redis.call('HGETALL', K.beats)
  for at = 1, #workers, 2 do
    if moved or not tonumber(workers[at + 1]) then  -- who has said hello in this epoch stays
      local taken, rest = W.depart(workers[at], 'released', '', most)
      left, most = left + rest, most - taken
    end
  end
  local alone = redis.call('HGETALL', key('runners', ''))
  for at = 1, #alone, 2 do
    if moved or alone[at + 1] == '' then
      local taken, rest = W.take_back(alone[at], alone[at + 1], 'released', '', most)
      left, most = left + rest, most - taken
      if rest == 0 then redis.call('HDEL', key('runners', ''), alone[at]) else redis.call('HSET', key('runners', ''), alone[at], '') end
    end
  end
  return left
end

redis.register_function({ function_name = 'tidemill_1_hello', callback = step(hello), flags = DRAINS })
redis.register_function({ function_name = 'tidemill_1_beat', callback = step(beat), flags = DRAINS })
redis.register_function({ function_name = 'tidemill_1_expire', callback = step(expire), flags = DRAINS })
redis.register_function({ function_name = 'tidemill_1_bye', callback = step(bye), flags = DRAINS })
redis.register_function({ function_name = 'tidemill_1_lose', callback = step(lose), flags = DRAINS })
redis.register_function({ function_name = 'tidemill_1_recover', callback = step(recover), flags = DRAINS })
