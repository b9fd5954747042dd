-- paths: which inputs an ancestor path takes.
--
-- Guarantees: an input that was validated stands for what it was made of, at every step of a path; each ancestor is looked at once
-- a step.
--
-- KEYS: none, it is called by other files
-- ARGV: none
-- Returns: I.fits

-- an input together with the one that a validator made it of, which it stands for
local function both(c, number)
  local found = { (I.header(c, number)) }
  local parents = found[1][2]
  if #parents == 1 then
    local before = I.header(c, parents[1])
    local known = I.channel(c, before[1])
    if known and known.validator > 0 then found[2] = before end
  end
  return found
end

-- whether some ancestor line of an input has the origins of `path`, the parent's first
local function has_path(c, number, path)
  local generation = both(c, number)
  for _, origin in ipairs(path) do
    local following, seen = {}, {}
    for _, child in ipairs(generation) do
      for _, above in ipairs(child[2]) do
        for _, head in ipairs(seen[above] and {} or both(c, above)) do
          local known = I.channel(c, head[1])
          if known and known.origin == origin then following[#following + 1] = head end
        end
        seen[above] = true
      end
    end
    if #following == 0 then return false end
    generation = following
  end
  return true
end

function I.fits(c, number, paths)
  if #paths == 0 then return true end
  for _, path in ipairs(paths) do
    if has_path(c, number, path) then return true end
  end
  return false
end
