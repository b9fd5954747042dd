-- counting: how many parameter sets of an operation were taken, dispatched, leased and so on, and how many contexts.
--
-- Guarantees: what a call counts is written once, at its end; a group counts in the same words what is of its contexts.
--
-- KEYS: none, it is called by other files
-- ARGV: none
-- Returns: P.count, P.tally, P.count_nothing, P.write_counts

local counted = {}  -- plan -> word -> operation -> how many in this call

function P.count_nothing() counted = {} end

local function count(of, op, what)
  local words = counted[of]
  if not words then
    words = {}
    counted[of] = words
  end
  local many = words[what]
  if not many then
    many = {}
    words[what] = many
  end
  many[op] = (many[op] or 0) + 1
end

function P.count(c, op, what)
  count(c.plan, op, what)
  if c.group ~= '' then G.count(c.group, c.plan .. ' ' .. op .. ' ' .. what) end
end

-- contexts that nobody but a user has opened: opened, succeeded, failed
function P.tally(what) count('contexts', '', what) end

function P.write_counts()
  for of, words in pairs(counted) do
    for what, many in pairs(words) do
      for op, by in pairs(many) do
        redis.call('HINCRBY', key('counts'), of .. ' ' .. (op == '' and '' or op .. ' ') .. what, by)
      end
    end
  end
end
