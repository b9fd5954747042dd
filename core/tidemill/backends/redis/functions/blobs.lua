-- blobs: large values, which are stored once under their digest and travel as references. A reference is the extension type 30
-- of msgpack: where it is ('b' here, 'm' elsewhere) and the digest, 65 letters, and then its size. See `blobs.py`.
--
-- Guarantees: a blob stays as long as a context, a plan or an ending refers to it, and is gone in the step in which the last of
-- them is, where that had many in pieces after it; what is written and never referred to has a time to live, and whoever comes
-- later than that is told to send it again. No step goes through more than some of what a holder has.
-- Keys: `blob:<name>` its bytes, or where they are; `refs` how many hold it; `holds:<holder>` what a holder has: a context by its
-- id, the ending of a context, a copy of one; '@' and another holder in it is all that had; `uploads`, `trash`: what is elsewhere
-- and may be deleted there.
-- KEYS: none, it is called by other files
-- ARGV: none
-- Returns: B.begin, B.held, B.missing, B.hold, B.drop, B.drop_some, B.share, B.hand_on, B.ending, B.letter

local B = {}

local ONE_BY_ONE = 64   -- blobs of a holder that are handed on or let go at once; where there are more it is as a whole

local anybody   -- whether somebody holds a blob; nil: it has not been looked at in this call

function B.begin() anybody = nil end

-- most stores have no blobs at all, and then nobody need be asked for theirs
function B.held()
  if anybody == nil then anybody = redis.call('EXISTS', key('refs')) == 1 end
  return anybody
end

-- of the names that a request brings, those that are not here
function B.missing(names)
  local out = {}
  for _, name in ipairs(names) do
    if redis.call('EXISTS', key('blob', name)) == 0 then out[#out + 1] = name end
  end
  return out
end

local function name_of_blob(value)
  if string.byte(value, 1) == 0xc7 and string.byte(value, 3) == 30 then return string.sub(value, 4, 68) end
end

-- `value` is stored on behalf of a holder, a context by its id
function B.hold(holder, value)
  local name = name_of_blob(value)
  if not name or redis.call('SADD', key('holds', holder), name) == 0 then return end
  anybody = true
  if redis.call('HINCRBY', key('refs'), name, 1) == 1 then
    redis.call('PERSIST', key('blob', name))
    if string.byte(name) == 109 then redis.call('ZREM', key('uploads'), redis.call('GET', key('blob', name)) or '') end
  end
end

local function let_go(name)
  if redis.call('HINCRBY', key('refs'), name, -1) > 0 then return end
  redis.call('HDEL', key('refs'), name)
  if string.byte(name) == 64 then
    X.push('holds', string.sub(name, 2))
    return
  end
  if string.byte(name) == 109 then
    local there = redis.call('GET', key('blob', name))
    if there then redis.call('RPUSH', key('trash'), there) end
  end
  redis.call('UNLINK', key('blob', name))
end

function B.drop(holder)
  if not B.held() then return end
  local at = key('holds', holder)
  local many = redis.call('SCARD', at)
  if many > ONE_BY_ONE then X.push('holds', holder) end
  if many == 0 or many > ONE_BY_ONE then return end
  for _, name in ipairs(redis.call('SMEMBERS', at)) do let_go(name) end
  redis.call('DEL', at)
end

-- let go of some of what a holder has -> how many are left
function B.drop_some(holder, most)
  for _, name in ipairs(redis.call('SPOP', key('holds', holder), most)) do let_go(name) end
  return redis.call('SCARD', key('holds', holder))
end

local function give(holder, name)
  if redis.call('SADD', key('holds', holder), name) == 1 then redis.call('HINCRBY', key('refs'), name, 1) end
end

-- all that an ending has, a copy of it has too
function B.share(ending, other)
  if not B.held() then return end
  for _, name in ipairs(redis.call('SMEMBERS', key('holds', ending))) do give(other, name) end
end

-- what a context had, another one or its ending has from now on
function B.hand_on(id, other)
  if not B.held() then return end
  local many = redis.call('SCARD', key('holds', id))
  if many > ONE_BY_ONE then
    give(other, '@' .. id)
  elseif many > 0 then
    B.share(id, other)
    B.drop(id)
  end
end

-- the holders that stand for the ending of a context, and for the copy of it that somebody waits for
function B.ending(name) return 'e' .. redis.sha1hex(name) end

function B.letter(who, name) return 'l' .. redis.sha1hex(who .. ' ' .. name) end

-- mark: {name, where, seconds} -> where the blob is from now on: what has been uploaded twice is kept once
local function mark(a)
  local at = key('blob', a[1])
  local known = redis.call('GET', at)
  if known then return known end
  if not redis.call('ZSCORE', key('uploads'), a[2]) then return 'GONE' end
  redis.call('SET', at, a[2], 'EX', a[3])
  return a[2]
end
