-- keeping: what became of contexts, for as long as somebody may want to know.
--
-- Guarantees: an ending is kept until it has been read by whoever opened the context, or its retention is over; whoever waits for
-- the end of another's context gets a copy, so that neither takes it from the other; nothing stays for ever.
-- The owner of a context: { who has opened it, seconds of retention, whether it wants to hear nothing, whoever waits besides… }
-- `due` has a time for each ending ('c' and the name of the context), each inbox ('i' and its owner) and all that is staged ('s' and
-- the stage); a number below zero is a retention that has not begun: time comes from outside, with who collects.
-- KEYS: none, it is called by other files
-- ARGV: none
-- Returns: S.tell, S.keep, S.forget, S.collect

local function number(value) return string.format('%.17g', value) end

-- put the name of a context into the inboxes of those who wait for its end
function S.tell(c)
  local owner = c.owner
  local due = number(-owner[2])
  for at = 1, #owner do
    if at >= 4 or (at == 1 and owner[1] ~= '' and not owner[3]) then
      redis.call('RPUSH', key('inbox', owner[at]), c.name)
      redis.call('ZADD', key('due'), due, 'i' .. owner[at])
    end
  end
end

-- the end of a context that nobody here has opened belongs to its parent; this is for all others
function S.keep(c, ending, sample)
  local name, owner, how = c.name, c.owner, c.failure == '' and 'succeeded' or 'failed'
  redis.call('HSET', key('ended'), name, ending)
  for at = 4, #owner do
    redis.call('HSET', key('letters', owner[at]), name, ending)
    B.share(B.ending(name), B.letter(owner[at], name))
  end
  S.tell(c)
  redis.call('ZADD', key('due'), number(-owner[2]), 'c' .. name)
  P.tally(how)
  if c.group ~= '' then G.ended(name, c.group, how, c.failure ~= '' and c.failure or sample) end
end

function S.forget(name)
  redis.call('ZREM', key('due'), 'c' .. name)
  B.drop(B.ending(name))
  G.forget(name)
  return redis.call('HDEL', key('ended'), name)
end

-- let retentions begin, and forget what is over by now, at most so many of each -> how many were forgotten
function S.collect(now, most)
  local due, gone = key('due'), 0
  local fresh = redis.call('ZRANGEBYSCORE', due, '-inf', '(0', 'WITHSCORES', 'LIMIT', 0, most)
  for at = 1, #fresh, 2 do redis.call('ZADD', due, number(now - tonumber(fresh[at + 1])), fresh[at]) end
  for _, member in ipairs(redis.call('ZRANGEBYSCORE', due, 0, number(now), 'LIMIT', 0, most)) do
    local rest = string.sub(member, 2)
    if string.sub(member, 1, 1) == 'c' then
      gone = gone + S.forget(rest)
    elseif string.sub(member, 1, 1) == 's' then
      S.unstage(rest)
    else
      redis.call('ZREM', due, member)
      for _, name in ipairs(redis.call('HKEYS', key('letters', rest))) do B.drop(B.letter(rest, name)) end
      redis.call('UNLINK', key('inbox', rest), key('letters', rest))
    end
  end
  return gone
end
