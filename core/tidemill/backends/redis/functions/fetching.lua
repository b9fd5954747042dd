-- fetching: many inputs of a context are read at once.
--
-- Guarantees: what has been read in a call is not read again in it; what operations may not read yet is not handed out.
--
-- KEYS: none, it is called by other files
-- ARGV: none
-- Returns: I.fetch_some, I.fetch, I.readable, I.read

-- have many fields at hand: a call for each costs more than all that is in it
function I.fetch_some(c, letter, names)
  for from = 1, #names, 1000 do
    local fields = {}
    for at = from, math.min(from + 999, #names) do
      local field = letter .. (type(names[at]) == 'number' and word(names[at]) or names[at])
      if c.set[field] == nil and c.read[field] == nil then fields[#fields + 1] = field end
    end
    if #fields > 0 then
      for at, value in ipairs(redis.call('HMGET', c.hash, unpack(fields))) do c.read[fields[at]] = value end
    end
  end
end

function I.fetch(c, letter, first, last)
  local numbers = {}
  for number = first, last do numbers[#numbers + 1] = number end
  I.fetch_some(c, letter, numbers)
end

-- how many inputs operations may read
function I.readable(c) return c.visible >= 0 and c.visible or c.numbers end

-- what operations may read of inputs, each as it is stored: whoever asks takes it apart
function I.read(c, first, last)
  local out = {}
  I.fetch(c, 'i', first, last)
  for number = first, last do out[#out + 1] = get(c, 'i' .. word(number)) or error('the input ' .. number .. ' is missing') end
  return out
end
