-- order: canonical order, the same whatever the timing was. Needed where several results of one operation are merged, and
-- where inputs are forwarded into child contexts.
--
-- Guarantees: seeds as given, then every input after its parents, by generation; within one by the rank of its parents, then
-- by operation, output, emission and element; where equal values are one input, by the value. Text is compared by its bytes,
-- whatever the language of the server is set to.
-- KEYS: none, it is called by other files
-- ARGV: none
-- Returns: O.ranks

local function less(a, b)
  if type(a) == 'number' then return a < b end
  for at = 1, math.min(#a, #b) do
    local mine, theirs = string.byte(a, at), string.byte(b, at)
    if mine ~= theirs then return mine < theirs end
  end
  return #a < #b
end

local function comes_before(a, b)
  for at = 1, math.max(#a, #b) do
    local mine, theirs = a[at], b[at]
    if mine == nil then return true end
    if theirs == nil then return false end
    if type(mine) == 'table' then
      for inner = 1, math.max(#mine, #theirs) do
        if mine[inner] == nil then return true end
        if theirs[inner] == nil then return false end
        if mine[inner] ~= theirs[inner] then return mine[inner] < theirs[inner] end
      end
    elseif mine ~= theirs then
      return less(mine, theirs)
    end
  end
  return false
end

local function place_of(c, head, rank)
  local parents, known = head[2], I.channel(c, head[1])
  if known.dedupe then
    return { 2, {}, string.sub(known.origin, 2), string.sub(known.stands_for, 2), known.definition, head[6] }
  end
  if known.op < 0 then return { 0, {}, head[3], head[4] } end
  local above = {}
  for at, parent in ipairs(parents) do above[at] = rank[parent] end
  return { 1, above, known.op, known.index, head[3], head[4] }
end

-- some inputs and all that they were made of, in the order of their numbers; each generation of parents is read in one
local function with_ancestors(c, numbers)
  local found, all, following = {}, {}, {}
  local function add(number)
    if found[number] then return end
    found[number], all[#all + 1], following[#following + 1] = true, number, number
  end
  for _, number in ipairs(numbers) do add(number) end
  while #following > 0 do
    local these = following
    following = {}
    I.fetch_some(c, 'i', these)
    for _, number in ipairs(these) do
      for _, parent in ipairs(I.header(c, number)[2]) do add(parent) end
    end
  end
  table.sort(all)
  return all
end

-- number -> rank among these and their ancestors, which is all that it depends on; a default that was taken ranks before all
function O.ranks(c, numbers)
  local generations, generation_of, rank, heads = { [0] = {} }, {}, {}, {} -- all there is may come of a default
  for _, number in ipairs(with_ancestors(c, numbers)) do
    local head = I.header(c, number)
    heads[number] = head
    local known = I.channel(c, head[1])
    if not known then
      rank[number], generation_of[number] = -1, 0
    else
      local generation = 0
      if known.op >= 0 and not known.dedupe then
        for _, parent in ipairs(head[2]) do generation = math.max(generation, 1 + generation_of[parent]) end
      end
      generation_of[number] = generation
      generations[generation] = generations[generation] or {}
      table.insert(generations[generation], number)
    end
  end
  local next, generation = 0, 0
  while generations[generation] do
    local places = {}
    for _, number in ipairs(generations[generation]) do places[number] = place_of(c, heads[number], rank) end
    table.sort(generations[generation], function(a, b) return comes_before(places[a], places[b]) end)
    for _, number in ipairs(generations[generation]) do
      rank[number], next = next, next + 1
    end
    generation = generation + 1
  end
  return rank
end
