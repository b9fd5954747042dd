-- ahead: what a runner has run without having been leased it, as the plan says that it follows for certain.
--
-- Guarantees: such a parameter set is taken, dispatched, leased and completed in one step, in the words and by the ways of all others,
-- so it passes the same limits, and is counted and stored as if it had come singly. What is not made is dropped and counted as refused;
-- of a report in which anything is wrong everything is that comes after its own outputs.
-- A report may have a list of those that follow each other: {operation, what it has given}; {operation} for the last: it still runs.
-- KEYS: none, it is called by other files
-- ARGV: none
-- Returns: P.take_ahead, P.go_on, P.claims_nothing, P.claims

local AT_MOST = 8   -- parameter sets that a report brings besides its own

local claims = {}   -- what still runs and is leased now, of this call

function P.claims_nothing() claims = {} end

-- {{context, parameter set that was reported, the one that runs, its lease, its input}…}
function P.claims() return claims end

-- a parameter set that is just being taken waits for no runner: one has run it
function P.take_ahead(c, r)
  P.count(c, r.op, 'dispatched')
  if c.journal then J.note(c, 'p', r.id, false) end
  r.state, c.took = 'dispatched', r
end

-- whether all of this are outputs of an operation
local function is_given(c, op, given)
  for _, one in ipairs(given) do
    local channel = c.p.channels[one[1]]
    if not channel or channel.op ~= op then return false end
  end
  return true
end

-- whether each is what the outputs of the one before make
local function is_chain(c, op, given, ahead)
  if type(ahead) ~= 'table' or #ahead > AT_MOST then return false end
  for _, one in ipairs(ahead) do
    local follows = given and #given == 1 and is_given(c, op, given) and c.p.channels[given[1][1]].ahead
    if not follows or follows ~= one[1] then return false end
    op, given = one[1], one[2]
  end
  return not given or is_given(c, op, given)
end

-- complete a parameter set, and those that its report has beyond it
function P.go_on(c, r, report, runner, now)
  local first, given, ahead = r.id, report[5], report[8]
  if not is_chain(c, r.op, given, ahead) then
    redis.call('INCR', key('refused'))
    ahead = {}
  end
  for at, one in ipairs(ahead) do
    c.ahead, c.took = one[1], nil
    KIND.completed(c, r, given, at == 1 and report[6] or {}, '', now)
    c.ahead, r, given = nil, c.took, one[2]
    if not r then  -- its context has failed meanwhile
      redis.call('INCRBY', key('refused'), #ahead - at + 1)
      return
    end
    P.leased(c, r, runner)
    if not given then
      claims[#claims + 1] = { c.id, first, r.id, r.leases, r.numbers[1] }
      return
    end
  end
  KIND.completed(c, r, given, #ahead == 0 and report[6] or {}, report[7], now)
end
