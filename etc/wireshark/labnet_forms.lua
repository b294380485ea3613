-- The texts of the course protocol: what a name is, and what a reply says, with the place of each of its fields. It
-- reads what labnet/wire/course.py reads. labnet.lua loads it; it needs nothing of Wireshark.

local forms = {}

local LONGEST_NAME, LONGEST_TTL = 255, 2147483647

-- Texts ------------------------------------------------------------------------------------------------------------

local function is_name(text)
    return #text > 0 and #text <= LONGEST_NAME and not text:find("[%c%s,]")
end

local function is_address_alone(text)
    return text:find("%d") ~= nil and text:find("[.:]") ~= nil and not text:find("[^%x.:]")
end

-- An address that no name looks like: digits and at least two dots, or two colons.
local function is_address_for_certain(text)
    if text:find("^%d+%.%d+%.%d[%d.]*$") and not text:find("%.%.") and not text:find("%.$") then
        return true
    end
    return text:find("^%x*:%x*:[%x.:]*$") ~= nil
end

function forms.is_question(text)
    return is_name(text) and not text:find("^[%[{#]") and not text:find("=") and not is_address_for_certain(text)
end

-- Labels with dots between them, the last of them no number: what a host is called, and little else is.
function forms.is_host_name(text)
    if #text > LONGEST_NAME or not text:find("^[%w_][%w_.-]*%.[%w-]*%a[%w-]*%.?$") then
        return false
    end
    return not text:find("..", 1, true)
end

function forms.ttl_of(text)
    local seconds = text:find("^%d+$") and #text <= 10 and tonumber(text)
    return seconds and seconds <= LONGEST_TTL and seconds or nil
end

function forms.folded(name)
    return (name:lower():gsub("%.$", ""))
end

function forms.trimmed(text, at)
    local first = select(2, text:find("^%s*")) + 1
    local last = #text:gsub("%s+$", "")
    return first > last and "" or text:sub(first, last), at + first - 1
end

-- The fields of a reply, each a table of its text, its offset and its length; nil where it has no such form ---------

local ESCAPES = { b = "\b", f = "\f", n = "\n", r = "\r", t = "\t" }

local function utf8_of(code)
    if code < 0x80 then
        return string.char(code)
    elseif code < 0x800 then
        return string.char(0xC0 + math.floor(code / 64), 0x80 + code % 64)
    elseif code < 0x10000 then
        return string.char(0xE0 + math.floor(code / 4096), 0x80 + math.floor(code / 64) % 64, 0x80 + code % 64)
    end
    return string.char(0xF0 + math.floor(code / 262144), 0x80 + math.floor(code / 4096) % 64,
        0x80 + math.floor(code / 64) % 64, 0x80 + code % 64)
end

local function unescaped(text)
    text = text:gsub("\\u([dD][89abAB]%x%x)\\u([dD][c-fC-F]%x%x)", function(high, low)
        return utf8_of(0x10000 + (tonumber(high, 16) - 0xD800) * 1024 + tonumber(low, 16) - 0xDC00)
    end)
    text = text:gsub("\\u(%x%x%x%x)", function(code)
        return utf8_of(tonumber(code, 16))
    end)
    return (text:gsub("\\(.)", function(letter)
        return ESCAPES[letter] or letter
    end))
end

-- One text of a list from behind its opening quote: where its closing quote is.
local function closing_quote(text, at)
    while true do
        local stop = text:find('["\\]', at)
        if stop == nil or text:sub(stop, stop) == '"' then
            return stop
        end
        at = stop + 2
    end
end

local function list_of(text)
    local found, at = {}, select(2, text:find("^%s*%[%s*")) + 1
    if text:find("^%]%s*$", at) then
        return found
    end
    while true do
        local length
        if text:sub(at, at) == '"' then
            local close = closing_quote(text, at + 1)
            if close == nil then
                return nil
            end
            found[#found + 1] = { text = unescaped(text:sub(at + 1, close - 1)), at = at, length = close - at - 1 }
            length = close - at + 1
        else
            local number = text:match("^%-?%d+%.?%d*[eE]?[+-]?%d*", at)
            if number == nil then
                return nil
            end
            found[#found + 1] = { text = number, at = at - 1, length = #number }
            length = #number
        end
        local after = select(2, text:find("^%s*", at + length)) + 1
        local mark = text:sub(after, after)
        if mark == "]" then
            return text:find("^%s*$", after + 1) and found or nil
        elseif mark ~= "," then
            return nil
        end
        at = select(2, text:find("^%s*", after + 1)) + 1
    end
end

local function line_of(text)
    local found, at = {}, 1
    while true do
        local comma = text:find(",", at, true)
        local part, offset = forms.trimmed(text:sub(at, (comma or #text + 1) - 1), at - 1)
        found[#found + 1] = { text = part, at = offset, length = #part }
        if comma == nil then
            return found
        end
        at = comma + 1
    end
end

-- The reply in `text`: name, address, ttl, learned, since as fields, or unknown; nil where it is none.
function forms.reply_of(text)
    local parts
    if text:find("^%s*%[") then
        parts = list_of(text)
    else
        parts = line_of(text)
    end
    if parts == nil or #parts > 5 then
        return nil
    elseif #parts == 0 or (#parts == 1 and parts[1].text == "") then
        return { unknown = true }
    elseif #parts == 1 then
        return is_address_alone(parts[1].text) and { address = parts[1] } or nil
    elseif #parts == 2 and is_address_alone(parts[1].text) and forms.ttl_of(parts[2].text) then
        return { address = parts[1], ttl = parts[2] }
    elseif not is_name(parts[1].text) or parts[1].text:find("^#") then
        return nil
    elseif parts[2].text:lower() == "not found" then
        return { name = parts[1], unknown = true }
    elseif not is_name(parts[2].text) or (parts[3] and not forms.ttl_of(parts[3].text)) then
        return nil
    end
    local reply = { name = parts[1], address = parts[2], ttl = parts[3] }
    if parts[4] and (parts[4].text == "0" or parts[4].text == "1") then
        reply.learned = parts[4]
        if parts[5] and #parts[5].text < 24 and parts[5].text:find("^%d+%.?%d*$") then
            reply.since = parts[5]
        end
    end
    return reply
end

-- A form that nothing but a reply of the course has: all three values, and one of them looks like what it is.
function forms.is_certain(reply)
    if reply == nil or reply.name == nil or reply.address == nil or reply.ttl == nil then
        return false
    end
    return forms.is_host_name(reply.name.text) or is_address_alone(reply.address.text)
end

return forms
