-- keeping: what became of contexts, for as long as somebody may want to know.
--
-- Guarantees: an ending is kept until it has been read by whoever opened the context, or its retention is over; whoever waits for
-- the end of another's context gets a copy, so that neither takes it from the other; nothing stays for ever.
-- The owner of a context: { who has opened it, seconds of retention, whether it wants to hear nothing, whoever waits besides… }
-- `due` has a time for each ending ('c' and the name of the context), its journal ('j'), each inbox ('i' and its owner) and all that
-- is staged ('s' and the stage); a number below zero is a retention that has not begun: time comes from outside, with who collects.
-- KEYS: none, it is called by other files
-- ARGV: none
-- Returns: S.tell, S.keep, S.forget, S.collect

local function number(value) return string.format('%.17g', value) end

local told = {}     -- owner -> names of contexts whose ends it is to hear of, of this call
local due_then = {} -- what is to be forgotten -> when, of this call

function S.tell_nothing() told, due_then = {}, {} end

-- put the name of a context into the inboxes of those who wait for its end
function S.tell(c)
  local owner = c.owner
  for at = 1, #owner do
    if at >= 4 or (at == 1 and owner[1] ~= '' and not owner[3]) then
      local names = told[owner[at]] or {}
      told[owner[at]] = names
      names[#names + 1] = c.name
      due_then['i' .. owner[at]] = -owner[2]
    end
  end
end

local function postpone(times)
  local due = {}
  for member, at in pairs(times) do due[#due + 1], due[#due + 2] = number(at), member end
  for at = 1, #due, 4000 do redis.call('ZADD', key('due'), unpack(due, at, math.min(at + 3999, #due))) end
end

function S.write_told()
  for who, names in pairs(told) do
    for at = 1, #names, 4000 do redis.call('RPUSH', key('inbox', who), unpack(names, at, math.min(at + 3999, #names))) end
  end
  postpone(due_then)
end

-- the end of a context that nobody here has opened belongs to its parent; this is for all others
function S.keep(c, ending, sample)
  local name, owner, how = c.name, c.owner, c.failure == '' and 'succeeded' or 'failed'
  redis.call('HSET', key('ended'), name, ending)
  for at = 4, #owner do
    redis.call('HSET', key('letters', owner[at]), name, ending)
    if B.held() then B.share(B.ending(name), B.letter(owner[at], name)) end
  end
  S.tell(c)
  due_then['c' .. name] = -owner[2]
  if c.journal then due_then['j' .. name] = -owner[2] end
  P.tally(how)
  if c.group ~= '' then G.ended(name, c.group, how, c.failure ~= '' and c.failure or sample) end
end

-- forget the endings of contexts -> how many there were
function S.forget(names)
  local due, many = {}, 0
  for at, name in ipairs(names) do
    if B.held() then B.drop(B.ending(name)) end
    G.forget(name)
    due[at] = 'c' .. name
    due_then[due[at]] = nil
  end
  for at = 1, #names, 4000 do
    local last = math.min(at + 3999, #names)
    redis.call('ZREM', key('due'), unpack(due, at, last))
    many = many + redis.call('HDEL', key('ended'), unpack(names, at, last))
  end
  return many
end

-- let retentions begin, and forget what is over by now, at most so many of each -> how many were forgotten
function S.collect(now, most)
  local due, gone = key('due'), 0
  local begun, from_now = redis.call('ZRANGEBYSCORE', due, '-inf', '(0', 'WITHSCORES', 'LIMIT', 0, most), {}
  for at = 1, #begun, 2 do from_now[begun[at]] = now - tonumber(begun[at + 1]) end
  postpone(from_now)
  for _, member in ipairs(redis.call('ZRANGEBYSCORE', due, 0, number(now), 'LIMIT', 0, most)) do
    local rest = string.sub(member, 2)
    if string.sub(member, 1, 1) == 'c' then
      gone = gone + S.forget({ rest })
    elseif string.sub(member, 1, 1) == 's' then
      S.unstage(rest)
    elseif string.sub(member, 1, 1) == 'j' then
      J.forget(rest)
      redis.call('ZREM', due, member)
    else
      redis.call('ZREM', due, member)
      for _, name in ipairs(redis.call('HKEYS', key('letters', rest))) do B.drop(B.letter(rest, name)) end
      redis.call('UNLINK', key('inbox', rest), key('letters', rest))
    end
  end
  return gone
end
