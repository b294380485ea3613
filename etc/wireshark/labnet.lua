-- The course protocol in Wireshark and tshark 4 (docs/captures.rst): a bare name over UDP, and its information back.
--
-- On the ports of the preference every datagram without a NUL byte is of the course; one that has it is DNS. On any
-- other port a datagram counts that can be nothing else: a line or list of name, address and TTL, or a host name alone.
-- Whoever sent such a reply speaks the course protocol, so its other datagrams are then understood too.

local is_there, found = pcall(Dissector.get, "labnet.course")
if is_there and found then
    return -- it is among the plugins, and was named on the command line too
end

local forms = dofile(debug.getinfo(1, "S").source:match("^@(.*[/\\])") .. "labnet_forms.lua")

local course = Proto("labnet.course", "Course protocol")

local STATES = { [0] = "the author's record", [1] = "learned" }
local fields = {
    response = ProtoField.bool("labnet.course.response", "Response"),
    name = ProtoField.string("labnet.course.name", "Name"),
    address = ProtoField.string("labnet.course.address", "Address"),
    ttl = ProtoField.uint32("labnet.course.ttl", "TTL in seconds"),
    learned = ProtoField.uint8("labnet.course.learned", "Learned", base.DEC, STATES),
    since = ProtoField.absolute_time("labnet.course.since", "Since", base.UTC),
    unknown = ProtoField.bool("labnet.course.unknown", "The name is not known"),
    text = ProtoField.string("labnet.course.text", "Text"),
    response_in = ProtoField.framenum("labnet.course.response_in", "Response in", base.NONE, frametype.RESPONSE),
    response_to = ProtoField.framenum("labnet.course.response_to", "Request in", base.NONE, frametype.REQUEST),
    repeats = ProtoField.framenum("labnet.course.repeats", "Asked first in", base.NONE, frametype.RETRANS_PREV),
    time = ProtoField.relative_time("labnet.course.time", "Time"),
}
course.fields = fields
local function note(name, text, group, severity)
    return ProtoExpert.new("labnet.course." .. name, text, expert.group[group], expert.severity[severity])
end
local experts = {
    unasked = note("unasked", "No question went this way before", "SEQUENCE", "NOTE"),
    other_name = note("other_name", "Another name was asked for; labnet ignores this", "SEQUENCE", "WARN"),
    no_form = note("no_form", "Neither a name nor a reply in a known form", "MALFORMED", "WARN"),
    cut = note("cut", "The capture has only the beginning of this datagram", "UNDECODED", "NOTE"),
}
course.experts = experts

course.prefs.ports = Pref.range("UDP ports", "1199-1200", "Ports on which what is not DNS is of the course", 65535)
course.prefs.everywhere = Pref.bool("Recognise it on other ports", true, "By a host name alone, or a reply's form")

local in_icmp, in_icmpv6 = Field.new("icmp.type"), Field.new("icmpv6.type")
local LONGEST_MESSAGE, MOST_CANDIDATES, PATIENCE = 2048, 4096, 30

-- What the first pass over a capture found. `open`: the questions of each way (client and server) that wait; `links`:
-- what is shown of each frame; `servers`: who sent a reply; `candidates`: names sent to somebody who may yet send one.
local open, links, servers, candidates, candidate_count

function course.init()
    open, links, servers, candidates, candidate_count = {}, {}, {}, {}, 0
end

-- Whether all its bytes are UTF-8.
local function is_text(tvb, text)
    return tvb:range():string(ENC_UTF_8) == text
end

-- Questions and replies ----------------------------------------------------------------------------------------------

local function ends(pinfo)
    return tostring(pinfo.src) .. " " .. pinfo.src_port, tostring(pinfo.dst) .. " " .. pinfo.dst_port
end

-- The questions of this way that still wait at `time`.
local function waiting_in(way, time)
    local waiting = open[way] or {}
    while waiting[1] and time - waiting[1].time > PATIENCE do
        table.remove(waiting, 1)
    end
    open[way] = waiting
    return waiting
end

local function ask(way, name, number, time)
    local waiting = waiting_in(way, time)
    for _, question in ipairs(waiting) do
        if question.name == forms.folded(name) then
            links[number] = { kind = "question", question = question, repeats = question.number }
            return
        end
    end
    local question = { name = forms.folded(name), number = number, time = time }
    table.insert(waiting, question)
    links[number] = { kind = "question", question = question }
end

-- The oldest question of this way that `reply` can be to: the one for its name, if it has one.
local function answered_by(waiting, reply)
    local name = reply and reply.name and forms.folded(reply.name.text)
    for at, question in ipairs(waiting) do
        if name == nil or question.name == name then
            return table.remove(waiting, at)
        end
    end
end

local function answer(way, reply, number, time)
    local link, waiting = { kind = "reply" }, waiting_in(way, time)
    local question = answered_by(waiting, reply)
    if question then
        question.answered = number
        link.question, link.time = question, time - question.time
    else
        link.problem = #waiting > 0 and "other_name" or "unasked"
    end
    links[number] = link
end

-- Keeps a name that went this way, which may be a question: its reply will tell.
local function remember(way, name, pinfo)
    if candidate_count < MOST_CANDIDATES then
        candidates[way] = candidates[way] or {}
        table.insert(candidates[way], { name = name, number = pinfo.number, time = pinfo.rel_ts })
        candidate_count = candidate_count + 1
    end
end

local function take_candidates(way)
    for _, one in ipairs(candidates[way] or {}) do
        ask(way, one.name, one.number, one.time)
    end
    candidates[way] = nil
end

-- Files the datagram of this frame as a question or a reply, at the first pass over the capture.
local function classify(text, tvb, pinfo, is_from_server)
    local source, destination = ends(pinfo)
    local back = destination .. " " .. source
    local reply, name = forms.reply_of(text), forms.trimmed(text, 0)
    if #waiting_in(back, pinfo.rel_ts) > 0 or forms.is_certain(reply) or is_from_server then
        servers[source] = true
        answer(back, reply, pinfo.number, pinfo.rel_ts)
    elseif forms.is_question(name) and is_text(tvb, text) then
        ask(source .. " " .. destination, name, pinfo.number, pinfo.rel_ts)
    else
        links[pinfo.number] = { kind = reply and "reply" or "none", problem = reply and "unasked" }
    end
end

-- The tree -----------------------------------------------------------------------------------------------------------

local function seconds_of(text)
    local whole, fraction = text:match("^(%d+)%.?(%d*)$")
    return NSTime.new(tonumber(whole), tonumber((fraction .. "000000000"):sub(1, 9)))
end

local function show_reply(reply, tvb, tree)
    local function add(name, value)
        if reply[name] then
            tree:add(fields[name], tvb:range(reply[name].at, reply[name].length), value(reply[name].text))
        end
    end
    add("name", tostring)
    add("address", tostring)
    add("ttl", forms.ttl_of)
    add("learned", tonumber)
    add("since", seconds_of)
    if reply.unknown then
        tree:add(fields.unknown, tvb:range(), true)
    end
end

local function show_link(link, tree)
    local function add(field, value)
        if value then
            tree:add(field, value):set_generated()
        end
    end
    if link.kind == "question" then
        add(fields.repeats, link.repeats)
        add(fields.response_in, link.question.answered)
    elseif link.question then
        add(fields.response_to, link.question.number)
        add(fields.time, NSTime.new(math.floor(link.time), math.floor(link.time % 1 * 1e9 + 0.5)))
    end
    if link.problem then
        tree:add_proto_expert_info(experts[link.problem])
    end
end

local function summary(reply, text)
    if reply == nil then
        return (forms.trimmed(text, 0))
    elseif reply.unknown then
        return (reply.name and reply.name.text .. " " or "") .. "not known"
    end
    local said = (reply.name and reply.name.text .. " " or "") .. reply.address.text
    return said .. (reply.ttl and " TTL " .. forms.ttl_of(reply.ttl.text) or "")
end

local function show(text, tvb, pinfo, root, link)
    pinfo.cols.protocol = "Course"
    local tree, says, reply = root:add(course, tvb), "Neither question nor reply", nil
    if link.kind ~= "none" then
        tree:add(fields.response, tvb:range(), link.kind == "reply"):set_generated()
    end
    if link.kind == "question" then
        local name, at = forms.trimmed(text, 0)
        tree:add(fields.name, tvb:range(at, #name), name)
        says = "Question " .. name
    elseif link.kind == "reply" then
        reply = forms.reply_of(text)
        says = "Reply " .. summary(reply, text)
    end
    if reply then
        show_reply(reply, tvb, tree)
    elseif link.kind ~= "question" then
        tree:add(fields.text, tvb:range(), text)
        tree:add_proto_expert_info(experts.no_form)
    end
    tree:append_text(": " .. says)
    pinfo.cols.info = says
    show_link(link, tree)
end

-- Entry points -------------------------------------------------------------------------------------------------------

local function has_port(port)
    for first, last in course.prefs.ports:gmatch("(%d+)%-?(%d*)") do
        if port >= tonumber(first) and port <= tonumber(last ~= "" and last or first) then
            return true
        end
    end
    return false
end

-- Whether an ICMP error quotes this datagram, which was filed where it was sent.
local function is_quoted()
    return in_icmp() ~= nil or in_icmpv6() ~= nil
end

function course.dissector(tvb, pinfo, root)
    local text = tvb:range():raw()
    if text:find("\0", 1, true) then
        pcall(Dissector.call, Dissector.get("dns"), tvb, pinfo, root) -- it shows itself where it is malformed
        return tvb:len()
    end
    if tvb:len() < tvb:reported_len() then
        pinfo.cols.protocol = "Course"
        root:add(course, tvb:range()):add_proto_expert_info(experts.cut)
        return tvb:len()
    end
    if is_quoted() then
        local is_question = forms.is_question((forms.trimmed(text, 0)))
        show(text, tvb, pinfo, root, is_question and { kind = "question", question = {} } or { kind = "reply" })
    else
        if links[pinfo.number] == nil then
            classify(text, tvb, pinfo, has_port(pinfo.src_port) and not has_port(pinfo.dst_port))
        end
        show(text, tvb, pinfo, root, links[pinfo.number])
    end
    return tvb:len()
end

-- Whether this datagram is of the course, on a port that says nothing.
local function is_of_the_course(text, tvb, pinfo)
    local source, destination = ends(pinfo)
    local back = destination .. " " .. source
    local reply, name = forms.reply_of(text), forms.trimmed(text, 0)
    if forms.is_certain(reply) then
        take_candidates(back)
        return true
    elseif #waiting_in(back, pinfo.rel_ts) > 0 and (reply or servers[source]) then
        return true
    elseif not forms.is_question(name) or not is_text(tvb, text) then
        return false
    elseif forms.is_host_name(name) or servers[destination] then
        return true
    end
    remember(source .. " " .. destination, name, pinfo)
    return false
end

local function recognise(tvb, pinfo, root)
    local is_cut, text = tvb:len() < tvb:reported_len(), tvb:range():raw()
    if not course.prefs.everywhere or is_cut or #text > LONGEST_MESSAGE or text:find("\0", 1, true) or is_quoted() then
        return false
    end
    if links[pinfo.number] == nil and (pinfo.visited or not is_of_the_course(text, tvb, pinfo)) then
        return false
    end
    course.dissector(tvb, pinfo, root)
    return true
end

local by_port, registered = DissectorTable.get("udp.port"), ""
local function register()
    if registered ~= "" then by_port:remove(registered, course) end
    registered = course.prefs.ports
    if registered ~= "" then by_port:add(registered, course) end
end

course.prefs_changed = register
register()
course:register_heuristic("udp", recognise)
