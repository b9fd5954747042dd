-- sorting: inputs are brought into canonical order, in pieces where they are many.
--
-- Guarantees: a piece looks at some inputs and what they were made of, however many there are; what is sorted so far is in fields of
-- the context, four bytes an input, so it is gone with that.
-- A sorting: { tag, runs: what is sorted, each by the number of its field, made: how many runs there were, at: the run that is merged
-- with the next one, mine, theirs: how much of the two is merged }
-- KEYS: none, it is called by other files
-- ARGV: none
-- Returns: O.in_order, O.begin_sorting, O.sort_some, O.merge_some, O.sorted, O.sorted_some, O.end_sorting

local MERGED = 64   -- inputs of two runs, each, that are looked at in one call

function O.in_order(c, numbers)
  local rank = O.ranks(c, numbers)
  table.sort(numbers, function(a, b) return rank[a] < rank[b] end)
  return numbers
end

local function run_at(s, run) return 'r' .. s.tag .. '.' .. run end

local function spelt_in_four(numbers)
  local out = {}
  for at, number in ipairs(numbers) do out[at] = struct.pack('>I4', number) end
  return table.concat(out)
end

local function read_from(raw, first, most)
  local out = {}
  for at = first, math.min(first + most, #raw / 4) - 1 do out[#out + 1] = (struct.unpack('>I4', raw, at * 4 + 1)) end
  return out
end

function O.begin_sorting(tag) return { tag = tag, runs = {}, made = 0, at = 1, mine = 0, theirs = 0 } end

-- some inputs more
function O.sort_some(c, s, numbers)
  if #numbers == 0 then return end
  s.made = s.made + 1
  s.runs[#s.runs + 1] = s.made
  put(c, run_at(s, s.made), spelt_in_four(O.in_order(c, numbers)))
end

-- what comes next of two runs, as far as is known by some of each
local function merged(c, mine, theirs)
  local all, out, at, other = {}, {}, 1, 1
  for _, number in ipairs(mine) do all[#all + 1] = number end
  for _, number in ipairs(theirs) do all[#all + 1] = number end
  local rank = O.ranks(c, all)
  while mine[at] and theirs[other] do
    if rank[mine[at]] < rank[theirs[other]] then
      out[#out + 1], at = mine[at], at + 1
    else
      out[#out + 1], other = theirs[other], other + 1
    end
  end
  return out, at - 1, other - 1
end

-- whether all of a run comes before the other one, as is so where inputs were given in their order
local function precedes(c, mine, theirs)
  local last, first = read_from(mine, #mine / 4 - 1, 1)[1], read_from(theirs, 0, 1)[1]
  local rank = O.ranks(c, { last, first })
  return rank[last] < rank[first]
end

-- a piece more -> whether all is one run now
function O.merge_some(c, s)
  if #s.runs < 2 then return true end
  if s.at >= #s.runs then s.at = 1 end
  local one, two = run_at(s, s.runs[s.at]), run_at(s, s.runs[s.at + 1])
  local mine, theirs, into = get(c, one), get(c, two), run_at(s, s.made + 1)
  local over = s.mine + s.theirs == 0 and precedes(c, mine, theirs)
  local out = over and '' or get(c, into) or ''
  if not over then
    local found, more, others = merged(c, read_from(mine, s.mine, MERGED), read_from(theirs, s.theirs, MERGED))
    s.mine, s.theirs, out = s.mine + more, s.theirs + others, out .. spelt_in_four(found)
    over = s.mine * 4 == #mine or s.theirs * 4 == #theirs
  end
  if not over then
    put(c, into, out)
    return false
  end
  put(c, into, out .. string.sub(mine, s.mine * 4 + 1) .. string.sub(theirs, s.theirs * 4 + 1))
  drop(c, one)
  drop(c, two)
  s.made = s.made + 1
  s.runs[s.at] = s.made
  table.remove(s.runs, s.at + 1)
  s.at, s.mine, s.theirs = s.at + 1, 0, 0
  return #s.runs < 2
end

-- how many there are
function O.sorted(c, s) return s.runs[1] and #get(c, run_at(s, s.runs[1])) / 4 or 0 end

function O.sorted_some(c, s, first, most) return s.runs[1] and read_from(get(c, run_at(s, s.runs[1])), first, most) or {} end

function O.end_sorting(c, s)
  for _, run in ipairs(s.runs) do drop(c, run_at(s, run)) end
end
