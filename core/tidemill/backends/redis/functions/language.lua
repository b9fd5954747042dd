-- language: the names of the language and of the server, at hand; and words for numbers.
--
-- Guarantees: names mean what they always mean. A function looks a name of the language up in two tables whenever it uses one, and
-- much of what a call does is that; here it happens once, in the first call: while a library is loaded most are not there yet.
-- Those that are rarely used are left out, as a chunk has room for so many locals.
-- KEYS: none, it is called by other files
-- ARGV: none
-- Returns: learn, word, and the names themselves

local function at_hand() return redis, cmsgpack, string, ipairs, next, type, unpack, pcall end

local redis = redis
local cmsgpack, string, ipairs, next, type, unpack, pcall

local function learn() redis, cmsgpack, string, ipairs, next, type, unpack, pcall = at_hand() end

local word
do
  local MANY = 4096   -- words that are remembered at most
  local words = {}    -- whole number → how it is spelt; to spell it costs more than most of what is done with it

  function word(number)
    local known = words[number]
    if known then return known end
    known = string.format('%.0f', number)
    if number < MANY then words[number] = known end
    return known
  end
end
