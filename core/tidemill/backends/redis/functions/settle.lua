-- settle: what follows when a parameter set has ended, failed or comes back.
--
-- Guarantees: a parameter set is taken off the count of its context once; a failure is final only when its tries are used up; a
-- lost worker costs no try, and one parameter set can lose only so many.
--
-- KEYS: none, it is called by other files
-- ARGV: none
-- Returns: P.fail, P.again, P.due, and failure_of, finish, try_again_or_fail for the reports

local MAX_LOST = 3
local MAX_BACKOFF = 60

local function failure_of(c, r, reason, message)
  local operation, values = c.p.ops[r.op + 1], {}
  for at, number in ipairs(r.numbers) do values[at] = I.value(c, number) end
  return cmsgpack.pack({ reason = reason, message = message, instance = operation.instance, operation = operation.name,
    names = operation.names, values = values, context = c.name })
end

local function finish(c, r, failed)
  if c.journal and not failed then J.set(c, 'c', r.id) end
  P.leave(c, r, 'completed')
  drop(c, 'p' .. r.id)
  c.open = c.open - 1
  if #c.holding > 0 or c.open == 0 then S.quiet(c) end
end

function P.fail(c, r, failure)
  P.count(c, r.op, 'failed')
  if c.journal then J.note(c, 'f', r.id, failure) end
  if c.strict and c.failure == '' then
    P.leave(c, r, 'completed')
    drop(c, 'p' .. r.id)
    c.open = c.open - 1
    S.fail(c, failure)
    return
  end
  put(c, 'f' .. c.failures, failure)
  c.failures = c.failures + 1
  finish(c, r, true)
end

function P.again(c, r)
  local over = c.stage ~= c.p.ops[r.op + 1].stage
  if over and c.journal then J.set(c, 'n', r.id) end
  P.leave(c, r, 'taken')
  if over then  -- dropped meanwhile
    drop(c, 'p' .. r.id)
    c.open = c.open - 1
    S.quiet(c)
    return
  end
  c.backlog = c.backlog + 1
  if #r.locks == 0 or L.acquire(c, r) then P.dispatch(c, r) else R.keep(c, r) end
end

local function try_again_or_fail(c, r, failure, now)
  local op = r.op
  local operation = c.p.ops[op + 1]
  r.tries = r.tries + 1
  if r.tries >= operation.retry then
    P.fail(c, r, failure)
    return
  end
  if c.stage ~= operation.stage then  -- dropped, with the tries that it had left
    P.again(c, r)
    return
  end
  P.count(c, op, 'retried')
  if c.journal then J.note(c, 'r', r.id, failure) end
  r.waiting, r.endings = -1, {}  -- a further try opens its children anew
  local wait = math.min(MAX_BACKOFF, operation.backoff * 2 ^ math.min(r.tries - 1, 60))
  if wait <= 0 then
    P.again(c, r)
    return
  end
  P.leave(c, r, 'delayed')
  R.keep(c, r)
  redis.call('ZADD', K.delayed, now + wait, c.id .. ' ' .. r.id)
end

local function try_again(id, set)
  local c = context(id)
  local r = c and R.record(c, set)
  if r and r.state == 'delayed' and c.stage == c.p.ops[r.op + 1].stage then
    r.state, c.backlog, c.dirty = 'taken', c.backlog + 1, true
    if #r.locks == 0 or L.acquire(c, r) then P.dispatch(c, r) else R.keep(c, r) end
  end
end

function P.due(now)
  for _, entry in ipairs(redis.call('ZRANGEBYSCORE', K.delayed, '-inf', now, 'LIMIT', 0, 64)) do
    redis.call('ZREM', K.delayed, entry)
    local id, set = parts(entry)
    if id then S.sound(id, try_again, id, set) end
  end
end
