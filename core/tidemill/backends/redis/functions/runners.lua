-- runners: the processes of a worker, each of which holds leases. A runner is "<worker>/<number>"; one whose name says no worker is
-- alive until somebody says that it is lost.
--
-- Guarantees: a runner that is gone, or whose worker is, is refused from that step on; what it held is handed out again in that
-- step or, when it is much, in the next ones, which anybody may take; a cycle that is repeated gets the answer that was lost.
-- KEYS: none, it is called by other files
-- ARGV: none
-- Returns: W.epoch, W.next_number, W.worker_of, W.alive, W.repeated, W.remember, W.take_back, W.depart

local PIECE = 256   -- parameter sets that one call takes back

-- the epoch goes into numbers, so that none is given again when the store has gone back to before it was given
function W.epoch()
  K.epoch = K.epoch or tonumber(redis.call('GET', key('epoch')) or '0')
  return K.epoch
end

-- the number after one, or the first of this epoch
function W.next_number(number) return math.max(number, W.epoch() * 2 ^ 32) + 1 end

function W.worker_of(runner) return string.match(runner, '^(.*)/[^/]*$') or '' end

-- `runners:<worker>` has the pool of each that is alive, and nothing in its place for one that is gone
function W.alive(runner, pool)
  local worker = W.worker_of(runner)
  local known = redis.call('HGET', key('runners', worker), runner)
  if known then return known ~= '' end
  if worker ~= '' and not tonumber(redis.call('HGET', K.beats, worker) or 'gone') then return false end
  redis.call('HSET', key('runners', worker), runner, pool)
  return true
end

-- what the cycle with this nonce has leased, as far as it is still held; nil if there was no such cycle
function W.repeated(runner, nonce)
  local raw = nonce ~= '' and redis.call('GET', key('last', runner))
  if not raw then return nil end
  local last, out = cmsgpack.unpack(raw), {}
  if last[1] ~= nonce then return nil end
  for at = 3, #last, 3 do
    local c = context(last[at], 'p' .. last[at + 1])
    local r = c and R.record(c, last[at + 1])
    if r and r.state == 'leased' and r.worker == runner and r.leases == last[at + 2] then out[#out + 1] = P.said(c, r) end
  end
  return out, false, last[2]
end

function W.remember(runner, nonce, out, claims)
  if nonce == '' then return end
  local last = { nonce, claims }
  for _, said in ipairs(out) do last[#last + 1], last[#last + 2], last[#last + 3] = said[2], said[5], said[6] end
  redis.call('SET', key('last', runner), cmsgpack.pack(last))
end

-- take back at most `most` of what a runner holds; how: 'lost' or 'released' -> how many, how many are left
function W.take_back(runner, pool, how, message, most)
  redis.call('HDEL', key('idle', pool), runner)
  redis.call('DEL', key('wake', runner), key('last', runner))
  local held = redis.call('HGETALL', key('held', runner))
  local many = math.min(#held / 2, most or PIECE)
  for at = 1, many * 2, 2 do
    P.settle(runner, { how, string.match(held[at], '^%d+'), string.match(held[at], ' (.*)$'), 0, message }, 0)
    redis.call('HDEL', key('held', runner), held[at])
  end
  -- it may have been woken for what it never took, and have been the one who knew when the next try is due
  P.ring(pool, 1)
  return many, #held / 2 - many
end

-- all runners of a worker; in the place of its count is `how` until nothing is left, so whoever sees that goes on
function W.depart(worker, how, message, most)
  local runners, many, rest = redis.call('HGETALL', key('runners', worker)), 0, 0
  for at = 1, #runners, 2 do
    redis.call('HSET', key('runners', worker), runners[at], '')
    local taken, left = W.take_back(runners[at], runners[at + 1], how, message, (most or PIECE) - many)
    many, rest = many + taken, rest + left
  end
  if rest > 0 then
    redis.call('HSET', K.beats, worker, how)
    return many, rest
  end
  redis.call('DEL', key('runners', worker))
  redis.call('HDEL', K.beats, worker)
  redis.call('HDEL', key('said'), worker)
  return many, 0
end
