-- identities: what the identity of a parameter set says: its operation and the number of each input.
--
-- Guarantees: an identity is a word of digits and colons, the same whoever makes it; no text of a user is in it.
--
-- KEYS: none, it is called by other files
-- ARGV: none
-- Returns: R.op_of, R.numbers_of

-- what has been read, as they are alike in all contexts; whatever is returned is not to be changed
local said, many_said = {}, 0

local function spelt_out(id)
  local found = said[id]
  if found then return found end
  found = { op = tonumber(string.match(id, '^%d+')), numbers = {} }
  for number in string.gmatch(id, ':(%d+)') do found.numbers[#found.numbers + 1] = tonumber(number) end
  if many_said >= 4096 then said, many_said = {}, 0 end
  said[id], many_said = found, many_said + 1
  return found
end

function R.op_of(id) return spelt_out(id).op end

function R.numbers_of(id) return spelt_out(id).numbers end
