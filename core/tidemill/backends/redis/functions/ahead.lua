-- ahead: what a runner has run without having been leased it, as the plan says that it follows for certain.
--
-- Guarantees: such a parameter set is taken, dispatched, leased and completed in one step, in the words and by the ways of all others,
-- so it passes the same limits, and is counted and stored as if it had come singly. What is not made is dropped and counted as refused;
-- of a report in which anything is wrong everything is that comes after its own outputs.
-- A report may have a list of those that follow each other: {operation, what it has given}; {operation} for the last: it still runs.
-- The last may be the one of the output stage, if the context comes to that and has as many inputs as its runner has reckoned with:
-- {operation, {} or false: it still runs, its identity, how many inputs, notes, result}.
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

-- whether one is of the output stage, which may come after everything else
local function closes(c, one)
  return type(one[3]) == 'string' and c.p.closes == one[1] and R.op_of(one[3]) == one[1] and (not one[2] or #one[2] == 0)
end

-- whether each is what the outputs of the one before make
local function is_chain(c, op, given, ahead)
  if type(ahead) ~= 'table' or #ahead > AT_MOST then return false end
  for at, one in ipairs(ahead) do
    if not given or not is_given(c, op, given) then return false end
    if one[3] then return at == #ahead and closes(c, one) end
    if #given ~= 1 or not one[1] or c.p.channels[given[1][1]].ahead ~= one[1] then return false end
    op, given = one[1], one[2]
  end
  return not given or is_given(c, op, given)
end

-- what has been taken ahead; where its context has come to more than its runner has seen, it is as if that had not run
local function took(c, one)
  local r = c.took
  c.ahead, c.took = nil, nil
  if not r or not one[3] or c.visible == one[4] then return r end
  P.dispatch(c, r, true)
end

-- complete a parameter set, and those that its report has beyond it
function P.go_on(c, r, report, runner, now)
  local first, given, ahead = r.id, report[5], report[8]
  if not is_chain(c, r.op, given, ahead) then
    redis.call('INCR', key('refused'))
    ahead = {}
  end
  local notes, result = report[6], report[7]
  for at, one in ipairs(ahead) do
    c.ahead = one[3] or one[1]
    KIND.completed(c, r, given, notes, '', now)
    r, given, notes, result = took(c, one), one[2], one[5] or {}, one[6] or ''
    if not r then  -- its context has failed meanwhile, or there is more of it
      redis.call('INCRBY', key('refused'), #ahead - at + 1)
      return
    end
    P.leased(c, r, runner)
    if not given then
      claims[#claims + 1] = { c.id, first, r.id, r.leases, r.numbers[1] or -1 }
      return
    end
  end
  KIND.completed(c, r, given, notes, result, now)
end
