-- The files under core/tidemill/backends/redis/functions become one chunk: what one of them defines, the files after it
-- use. Names that cross files are listed here once; `tools/lua.py` goes by this list too.

std = "lua51"
max_line_length = 140
codes = true

-- what the server gives
read_globals = { "redis", "cmsgpack", "struct" }

-- tables of the networks and verbs, the keys of a call, and what a call remembers
globals = { "B", "C", "G", "I", "J", "K", "L", "M", "O", "P", "R", "S", "W", "X", "fresh", "kept", "loaded",
  "many_kept", "plans" }

local shared = {
  "DRAINS", "KIND", "MAX_LOST", "begin", "candidate", "context", "drop", "failure_of", "finish", "forget",
  "forget_all", "found", "get", "key", "learn", "listed", "mark", "new_context", "open", "packed", "parts",
  "plan_of", "put", "spell", "spelt", "step", "take_defaults", "taking", "try_again_or_fail", "unpacked",
  "word", "write_back",
}
for _, name in ipairs(shared) do read_globals[#read_globals + 1] = name end

-- what `language` has at hand for all files after it
local language = { "redis", "cmsgpack", "string", "ipairs", "next", "type", "unpack", "pcall" }

-- a file that defines such a name need not use it itself
ignore = {}
for _, names in ipairs({ shared, globals, language }) do
  for _, name in ipairs(names) do ignore[#ignore + 1] = "2[1-4]1/^" .. name .. "$" end
end
