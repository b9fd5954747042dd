-- work: the verbs of runners: report and lease, read.
--
-- Guarantees: each is one atomic step over one shard; a cycle settles all that a worker has finished, takes, matches and dispatches
-- what follows, and leases what is ready, in one call.
--
-- KEYS[1] tag: the hash tag of the shard
-- ARGV[1] request: packed with msgpack, an array whose parts stand above each function
-- Returns: what stands above each function

local PROMPT = 0.005   -- seconds after which a worker does the next piece of what was too much for one call
local SOON = 0.05   -- seconds after which a worker looks whether what it has left to others is still there

-- whether a child is to be opened whose plan the store has not, or has not any more
local function lacks_plans(reports)
  for _, report in ipairs(reports) do
    if report[1] == 'subflow' then
      for _, child in ipairs(report[5]) do
        if not plan_of(child[2]) then return true end
      end
    end
  end
  return false
end

-- cycle: {runner, pool, reports, want, now, nonce, the epoch that it knows or -1} -> {{leased…}, seconds until the next delayed one
-- or -1, the numbers of the reports whose generators have lost their leases, the epoch, what it runs ahead and is leased now (see
-- `ahead`)}, or 'FENCED': the runner is held to be dead, or what it holds is of an epoch before. The same nonce again: the same
-- answer, and nothing is settled again. 'PLAN': nothing was done, as the plan of a child is not known (publish it first).
local function cycle(a)
  local knows = a[7] or -1
  if (knows >= 0 and knows ~= W.epoch()) or not W.alive(a[1], a[2]) then
    redis.call('INCRBY', key('refused'), #a[3])
    return 'FENCED'
  end
  local out, more, claims = W.repeated(a[1], a[6])
  if not out then
    if lacks_plans(a[3]) then return 'PLAN' end
    if X.work() > 0 then K.pushed = true end
    P.due(a[5])
    for _, report in ipairs(a[3]) do P.settle(a[1], report, a[5]) end
    out, more = P.lease(a[1], a[2], a[4])
    claims = P.claims()
    W.remember(a[1], a[6], out, claims)
  end
  local gone = {}
  for at, report in ipairs(a[3]) do
    if report[1] == 'emitted' then
      local c = context(report[2])
      local r = c and R.record(c, report[3])
      local holds = r and r.state == 'leased' and r.worker == a[1] and (report[4] == 0 or report[4] == r.leases)
      if not holds then gone[#gone + 1] = at - 1 end
    end
  end
  local soonest = redis.call('ZRANGE', K.delayed, 0, 0, 'WITHSCORES')
  local wait = soonest[2] and math.max(0, tonumber(soonest[2]) - a[5]) or -1
  if more and (wait < 0 or wait > SOON) then wait = SOON end  -- whoever it is left to may be held up
  if K.pushed and (wait < 0 or wait > PROMPT) then wait = PROMPT end
  return { out, string.format('%.17g', wait), gone, W.epoch(), claims }
end

local PAGE = 1000    -- inputs that one call reads

-- read: {context id, number of the first} -> {how many there are to read, {each as it is stored…}}
local function read(a)
  local c = context(a[1])
  local found = c and S.sound(a[1], function()
    local many = I.readable(c)
    return { many, I.read(c, a[2], math.min(many, a[2] + PAGE) - 1) }
  end)
  return found or { 0, {} }
end

-- known: {name, uids} -> {plan digest, how many inputs, {{number, value}…}, how many were given}: what the context knows under
-- uids; 'FEED' while it is being fed: what is staged of it comes first
local function known(a)
  local c, gone = taking(a[1])
  if not c then return gone end
  if #c.feeding > 0 then return 'FEED' end
  local out = {}
  for at, uid in ipairs(a[2]) do
    local number = tonumber(get(c, 'n' .. uid))
    local value = ''
    if number then
      local _, raw = I.header(c, number)
      value = raw
    end
    out[at] = { number or '', value }
  end
  return { c.plan, c.numbers, out, c.given }
end

redis.register_function({ function_name = 'tidemill_1_cycle', callback = step(cycle), flags = DRAINS })
redis.register_function('tidemill_1_read', step(read))
redis.register_function('tidemill_1_known', step(known))
