-- candidates: the inputs that may stand at a parameter, in the order of their numbers.
--
-- Guarantees: a list only ever grows at its end, so "what was there before" is a prefix of it; four bytes a candidate: the first
-- ones stay in a field of the context, all of them get a key of their own when they are more than fit there.
--
-- KEYS: none, it is called by other files
-- ARGV: none
-- Returns: M.append, M.count, M.place, and candidate for the file that walks boxes

local SMALL = 64    -- bytes of candidates that stay in a field

function M.append(c, op, parameter, number)
  local field = 'k' .. word(op) .. '.' .. word(parameter)
  local packed = struct.pack('>I4', number)
  local small = get(c, field) or ''
  if small == '*' then
    redis.call('APPEND', key('k', c.id, op, parameter), packed)
  elseif #small < SMALL then
    put(c, field, small .. packed)
  else
    local own = key('k', c.id, op, parameter)
    redis.call('SET', own, small .. packed)
    c.aux[#c.aux + 1] = own
    put(c, field, '*')
  end
end

function M.count(c, op, parameter)
  local small = get(c, 'k' .. word(op) .. '.' .. word(parameter)) or ''
  if small == '*' then return redis.call('STRLEN', key('k', c.id, op, parameter)) / 4 end
  return #small / 4
end

local function candidate(c, op, parameter, at)
  local small = get(c, 'k' .. word(op) .. '.' .. word(parameter))
  local packed
  if small == '*' then
    packed = redis.call('GETRANGE', key('k', c.id, op, parameter), at * 4, at * 4 + 3)
  else
    packed = string.sub(small, at * 4 + 1, at * 4 + 4)
  end
  return (struct.unpack('>I4', packed))
end

-- where a number stands among the candidates of a parameter, from 0; nil: nowhere
function M.place(c, op, parameter, number)
  local low, high = 0, M.count(c, op, parameter) - 1
  while low <= high do
    local middle = math.floor((low + high) / 2)
    local there = candidate(c, op, parameter, middle)
    if there == number then return middle end
    if there < number then low = middle + 1 else high = middle - 1 end
  end
end
