-- matching: which combinations an input makes. A combination is found by its youngest input.
--
-- Guarantees: every combination comes out of exactly one box, once, whoever arrives first; a box is a range of candidates
-- for each parameter, so it costs a few words however many combinations it holds, and is walked in pieces.
--
-- KEYS: none, it is called by other files
-- ARGV: none
-- Returns: M.arrive, M.everything, M.enter, M.expand, M.thirsty

local CHUNK = 64    -- parameter sets that a context has taken and not leased at most, before its boxes wait
local LOW_WATER = 16

-- the boxes of the combinations in which an arrival at `places` (ascending) is the youngest
function M.arrive(c, op, places, number)
  local many = c.p.ops[op + 1].n
  local before, now = {}, {}
  for parameter = 0, many - 1 do
    before[parameter] = M.count(c, op, parameter)
    now[parameter] = before[parameter]
  end
  for _, place in ipairs(places) do
    M.append(c, op, place, number)
    now[place] = before[place] + 1
  end
  if not O.active(c, op) then return end
  for _, place in ipairs(places) do
    local ranges = {}
    for parameter = 0, many - 1 do
      if parameter == place then
        ranges[parameter + 1] = { before[parameter], before[parameter] + 1 }
      else
        ranges[parameter + 1] = { 0, parameter < place and before[parameter] or now[parameter] }
      end
    end
    M.enter(c, { op, ranges, 0 })
  end
end

function M.everything(c, op)
  local ranges = {}
  for parameter = 0, c.p.ops[op + 1].n - 1 do ranges[parameter + 1] = { 0, M.count(c, op, parameter) } end
  M.enter(c, { op, ranges, 0 })
end

local function size(box)
  local product = 1
  for _, range in ipairs(box[2]) do product = product * (range[2] - range[1]) end
  return product
end

local function combination(c, box)
  local place, numbers = box[3], {}
  for parameter = #box[2], 1, -1 do
    local range = box[2][parameter]
    local wide = range[2] - range[1]
    numbers[parameter] = candidate(c, box[1], parameter - 1, range[1] + place % wide)
    place = math.floor(place / wide)
  end
  box[3] = box[3] + 1
  return numbers
end

function M.enter(c, box)
  local many = size(box)
  if many == 0 then return end
  R.refuse_too_many(c, box[1], many, box[2])
  if many == 1 and c.backlog < CHUNK and c.box_first == c.box_next then
    R.take(c, box[1], combination(c, box))
    return
  end
  c.promised, c.open = c.promised + many, c.open + 1
  put(c, 'b' .. word(c.box_next), cmsgpack.pack(box))
  c.box_next = c.box_next + 1
  if c.backlog < CHUNK then M.expand(c) end
end

function M.expand(c)
  while c.box_first < c.box_next and c.backlog < CHUNK do
    local field = 'b' .. word(c.box_first)
    local box = cmsgpack.unpack(get(c, field))
    local many = size(box)
    while box[3] < many and c.backlog < CHUNK do
      c.promised = c.promised - 1
      R.take(c, box[1], combination(c, box))
    end
    if box[3] < many then
      put(c, field, cmsgpack.pack(box))
    else
      drop(c, field)
      c.box_first, c.open = c.box_first + 1, c.open - 1
    end
  end
end

function M.thirsty(c) return c.box_first < c.box_next and c.backlog < LOW_WATER end
