-- chores: work that is too much for one call, done in pieces by whoever calls next.
--
-- Guarantees: each call does one piece of one chore; a chore that is not over goes behind the others; what a piece does may be
-- done again. One that breaks off is put away under `corrupt:chores` for a week, and holds up no other.
-- KEYS: none, it is called by other files
-- ARGV: none
-- Returns: X.push, X.work, and a table of what each kind of chore does; it returns true when it is over, or from where to go on

X.DO = {}

local WEEK_LONG = 7 * 24 * 3600

-- a chore: {its kind, what it is about, a second thing, from where to go on}
function X.push(kind, about, more, from)
  redis.call('RPUSH', key('chores'), cmsgpack.pack({ kind, about, more or '', from or '0' }))
  K.pushed = true
end

-- do a piece -> how many chores are left
function X.work()
  local raw = redis.call('LPOP', key('chores'))
  if not raw then return 0 end
  local whole, over = pcall(function()
    local chore = cmsgpack.unpack(raw)
    local from = X.DO[chore[1]](chore[2], chore[3], chore[4])
    if from ~= true then X.push(chore[1], chore[2], chore[3], from) end
  end)
  if not whole then
    local ok, chore = pcall(cmsgpack.unpack, raw)
    if ok and type(chore) == 'table' and chore[3] ~= '' then redis.call('SREM', key('clearing', chore[3]), chore[2]) end
    redis.call('RPUSH', key('corrupt', 'chores'), raw .. ' ' .. tostring(type(over) == 'table' and (over.err or over[2]) or over))
    redis.call('EXPIRE', key('corrupt', 'chores'), WEEK_LONG)
  end
  return redis.call('LLEN', key('chores'))
end
