-- waking: workers that have nothing to do.
--
-- Guarantees: a worker is woken at most once for what it has not come for yet; what waits is shared with those who are idle.
--
-- KEYS: none, it is called by other files
-- ARGV: none
-- Returns: P.share, P.ring

-- how much of what waits a worker may take: while others of its pool have nothing to do, all are to get some
function P.share(pool, worker, want)
  local idle = key('idle', pool)
  local others = redis.call('HLEN', idle) - redis.call('HEXISTS', idle, worker)
  if others == 0 then return want end
  local waiting = redis.call('LLEN', key('ready', pool)) + #(fresh[pool] or {})
  return math.min(want, math.max(1, math.ceil(waiting / (others + 1))))
end

-- wake idle workers of a pool, at most so many; who has been woken already (0) is still to come
function P.ring(pool, most)
  local cursor, woken = '0', 0
  repeat
    local some = redis.call('HSCAN', key('idle', pool), cursor, 'COUNT', most)
    cursor = some[1]
    for at = 1, #some[2], 2 do
      if woken == most then return end
      if some[2][at + 1] == '1' then
        woken = woken + 1
        redis.call('HSET', key('idle', pool), some[2][at], '0')
        if redis.call('EXISTS', key('wake', some[2][at])) == 0 then redis.call('LPUSH', key('wake', some[2][at]), '1') end
      end
    end
  until cursor == '0'
end
