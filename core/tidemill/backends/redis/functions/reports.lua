-- reports: what becomes of a report of a worker.
--
-- Guarantees: everything that follows from one report happens in this step, children before the parent is taken off; what an
-- operation gave is stored as a whole or not at all.
--
-- KEYS: none, it is called by other files
-- ARGV: none
-- Returns: P.settle

-- given: {output channel, value, element, truth, canonical}; false if the parameter set or its context failed of it
local function stored(c, r, given, least, now)
  local limits, op, emission = c.p.limits, r.op, r.emitted
  r.given = r.given + math.max(#given, least)
  if limits.outputs >= 0 and r.given > limits.outputs then
    local said = '"' .. c.p.ops[op + 1].instance .. '" has given more than ' .. limits.outputs .. ' inputs, the limit outputs'
    try_again_or_fail(c, r, failure_of(c, r, emission > 0 and 'EmitLimitExceeded' or 'TooManyItems', said), now)
    return false
  end
  local numbers = r.numbers
  local ok, problem = pcall(function()
    S.count(c, #given)
    for at = 1, #given do
      local one = given[at]
      local item = I.store(c, O.arrival(c, one[1], numbers), one[2], numbers, emission, one[3], one[5], one[4])
      if item then O.arrive(c, item, one[4]) end
    end
  end)
  if ok then return true end
  if type(problem) ~= 'table' then error(problem) end
  if c.journal then J.set(c, 'n', r.id) end
  P.leave(c, r, 'dropped')
  drop(c, 'p' .. r.id)
  c.open = c.open - 1
  S.fail(c, S.failure(c, problem[1], problem[2]))
  return false
end

local KIND = {}

function KIND.completed(c, r, given, notes, result, now)
  for at = 1, #notes do c.notes[#c.notes + 1] = notes[at] end
  local op = r.op
  if c.p.ops[op + 1].stage == 'output' then
    put(c, 'o' .. word(c.results), cmsgpack.pack({ op, r.id, result }))
    B.hold(c.id, result)
    c.results = c.results + 1
  elseif #given > 0 and not stored(c, r, given, 0, now) then
    return
  end
  P.count(c, op, 'completed')
  finish(c, r)
end

function KIND.emitted(c, r, given, emission, _, now)
  if emission ~= r.emitted then return end  -- of a further try: what is stored already is not stored again
  if stored(c, r, given, 1, now) then  -- one that gives nothing counts too: a generator must not go on for ever
    r.emitted = r.emitted + 1
    R.keep(c, r)
  end
end

function KIND.failed(c, r, failure, _, _, now) try_again_or_fail(c, r, failure, now) end

function KIND.lost(c, r, message)
  if c.journal then J.note(c, 'x', r.id, message) end
  r.lost = r.lost + 1
  if r.lost < MAX_LOST then
    P.again(c, r)
    return
  end
  local said = MAX_LOST .. ' workers vanished with it, so it is held to be the cause; the last one: ' .. message
  P.fail(c, r, failure_of(c, r, 'Poisonous', said))
end

function KIND.released(c, r)
  if c.journal then J.set(c, 'b', r.id) end
  P.again(c, r)
end

function KIND.subflow(c, r, children)
  if c.journal then J.note(c, 's', r.id, #children) end
  if c.stage ~= c.p.ops[r.op + 1].stage then  -- dropped: it opens nothing any more
    P.again(c, r)
    return
  end
  if c.depth >= c.p.limits.subflow_depth then
    local said = 'data flows run data flows ' .. (c.depth + 1) .. ' levels deep; limit ' .. c.p.limits.subflow_depth
    P.fail(c, r, failure_of(c, r, 'SubflowDepthExceeded', said))
    return
  end
  c.leased = c.leased - 1
  P.hold(c, r, false)
  r.worker = ''
  P.freed(c.plan, r.op)
  C.open(c, r, children)
end

local function settle(worker, report, now)
  local c = context(report[2], 'p' .. report[3])
  local r = P.holds(c, report[3], worker, report[4])
  if r and report[8] then
    P.go_on(c, r, report, worker, now)
  elseif r then
    KIND[report[1]](c, r, report[5], report[6], report[7], now)
  end
end

-- report: {kind, context, parameter set, lease, …}; for what one that was completed may bring besides see ahead
function P.settle(worker, report, now)
  if report[2] and report[3] then
    S.sound(report[2], settle, worker, report, now)
    if not loaded[report[2]] then P.lapsed(worker, report[2], report[3]) end
  else
    redis.call('INCR', key('refused'))  -- of something that was never leased
  end
end
