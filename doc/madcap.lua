-- A Wireshark dissector for MADCAP, RFC 2730, with the nesting option of RFC 2907.
--
--   tshark -X lua_script:madcap.lua -i any port 2535
--   wireshark -X lua_script:madcap.lua
--
-- or copy it to Wireshark's folder of personal Lua plugins.

local madcap = Proto("madcap", "Multicast Address Dynamic Client Allocation Protocol")

local types = {
    [1] = "DISCOVER", [2] = "OFFER", [3] = "REQUEST", [4] = "RENEW",
    [5] = "ACK", [6] = "NAK", [7] = "RELEASE", [8] = "GETINFO",
}
local families = { [1] = "IPv4", [2] = "IPv6" }
local options = {
    [0] = "End", [1] = "Lease Time", [2] = "Server Identifier", [3] = "Lease Identifier",
    [4] = "Multicast Scope", [5] = "Option Request List", [6] = "Start Time",
    [7] = "Number of Addresses Requested", [8] = "Requested Language", [9] = "Multicast Scope List",
    [10] = "List of Address Ranges", [11] = "Current Time", [12] = "Feature List",
    [13] = "Retry Time", [14] = "Minimum Lease Time", [15] = "Maximum Start Time", [16] = "Error",
    [17] = "Multicast Scope Nesting State",
}
local errors = {
    [0] = "Valid Request Could Not Be Completed", [1] = "Invalid Request",
    [2] = "Excessive Clock Skew", [3] = "Lease Identifier Not Recognized",
    [4] = "Required Feature Not Supported",
}
local features = { [0] = "Server Mobility", [1] = "Retry After", [2] = "Shared Lease Identifier" }

local f = {
    version = ProtoField.uint8("madcap.version", "Version"),
    type = ProtoField.uint8("madcap.type", "Message type", base.DEC, types),
    family = ProtoField.uint16("madcap.family", "Address family", base.DEC, families),
    xid = ProtoField.uint32("madcap.xid", "Transaction ID", base.HEX),
    option = ProtoField.uint16("madcap.option", "Option", base.DEC, options),
    length = ProtoField.uint16("madcap.option.length", "Length"),
    data = ProtoField.bytes("madcap.option.data", "Data"),
    lease_time = ProtoField.uint32("madcap.lease_time", "Lease time (seconds)"),
    min_lease_time = ProtoField.uint32("madcap.min_lease_time", "Minimum lease time (seconds)"),
    start_time = ProtoField.absolute_time("madcap.start_time", "Start time", base.UTC),
    current_time = ProtoField.absolute_time("madcap.current_time", "Current time", base.UTC),
    retry_time = ProtoField.absolute_time("madcap.retry_time", "Retry time", base.UTC),
    max_start_time = ProtoField.absolute_time("madcap.max_start_time", "Maximum start time", base.UTC),
    server4 = ProtoField.ipv4("madcap.server", "Server"),
    server6 = ProtoField.ipv6("madcap.server6", "Server"),
    server_family = ProtoField.uint16("madcap.server.family", "Family of the server", base.DEC, families),
    lease_id = ProtoField.bytes("madcap.lease_id", "Lease Identifier"),
    lease_id_type = ProtoField.uint8("madcap.lease_id.type", "Type", base.DEC, { [0] = "random", [1] = "address-specific" }),
    scope4 = ProtoField.ipv4("madcap.scope", "Scope ID"),
    scope6 = ProtoField.ipv6("madcap.scope6", "Scope ID"),
    request = ProtoField.uint16("madcap.request", "Requested option", base.DEC, options),
    min_count = ProtoField.uint16("madcap.count.min", "Minimum"),
    count = ProtoField.uint16("madcap.count", "Desired"),
    language = ProtoField.string("madcap.language", "Language"),
    scopes = ProtoField.uint8("madcap.scopes", "Number of scopes"),
    last4 = ProtoField.ipv4("madcap.scope.last", "Last address"),
    last6 = ProtoField.ipv6("madcap.scope.last6", "Last address"),
    ttl = ProtoField.uint8("madcap.scope.ttl", "TTL"),
    names = ProtoField.uint8("madcap.scope.names", "Number of names"),
    name_default = ProtoField.bool("madcap.scope.name.default", "Used if there is no name in the language", 8, nil, 0x80),
    name_lang = ProtoField.string("madcap.scope.name.language", "Language of the name"),
    name = ProtoField.string("madcap.scope.name", "Name", base.UNICODE),
    first4 = ProtoField.ipv4("madcap.range.first", "First address"),
    first6 = ProtoField.ipv6("madcap.range.first6", "First address"),
    size = ProtoField.uint16("madcap.range.count", "Number of addresses"),
    supported = ProtoField.uint16("madcap.feature.supported", "Supported", base.DEC, features),
    requested = ProtoField.uint16("madcap.feature.requested", "Requested", base.DEC, features),
    required = ProtoField.uint16("madcap.feature.required", "Required or used", base.DEC, features),
    error = ProtoField.uint16("madcap.error", "Error", base.DEC, errors),
    error_option = ProtoField.uint16("madcap.error.option", "Option to blame", base.DEC, options),
    error_time = ProtoField.absolute_time("madcap.error.time", "The server's time", base.UTC),
    error_feature = ProtoField.uint16("madcap.error.feature", "Feature not supported", base.DEC, features),
    nest_scopes = ProtoField.uint8("madcap.nesting.scopes", "Number of scopes"),
    nest_row = ProtoField.bytes("madcap.nesting.row", "Row"),
}
madcap.fields = f

local e_malformed = ProtoExpert.new("madcap.malformed", "Malformed", expert.group.MALFORMED, expert.severity.ERROR)
local e_unknown = ProtoExpert.new("madcap.unknown", "Unknown option", expert.group.UNDECODED, expert.severity.NOTE)
madcap.experts = { e_malformed, e_unknown }

local function bad(tree, what)
    tree:add_proto_expert_info(e_malformed, what)
end

-- addr_size returns the bytes of a family's addresses, nil if it is not known.
local function addr_size(family)
    if family == 1 then return 4 end
    if family == 2 then return 16 end
    return nil
end

-- add_addr adds the address at the front of a range, as IPv4 or IPv6.
local function add_addr(tree, family, v4, v6, range)
    if family == 1 then
        tree:add(v4, range(0, 4))
    else
        tree:add(v6, range(0, 16))
    end
end

local function fixed(field, size)
    return function(tree, d)
        if d:len() ~= size then return "length is not " .. size end
        tree:add(field, d(0, size))
    end
end

local decode = {}
decode[1] = fixed(f.lease_time, 4)
decode[6] = fixed(f.start_time, 4)
decode[11] = fixed(f.current_time, 4)
decode[13] = fixed(f.retry_time, 4)
decode[14] = fixed(f.min_lease_time, 4)
decode[15] = fixed(f.max_start_time, 4)

decode[2] = function(tree, d)
    if d:len() < 3 then return "shorter than 3" end
    local family = d(0, 2):uint()
    tree:add(f.server_family, d(0, 2))
    local n = addr_size(family)
    if n == nil then return end
    if d:len() ~= 2 + n then return "no address of the family" end
    add_addr(tree, family, f.server4, f.server6, d(2))
end

decode[3] = function(tree, d)
    if d:len() < 1 then return "empty" end
    tree:add(f.lease_id, d())
    tree:add(f.lease_id_type, d(0, 1))
end

decode[4] = function(tree, d, family)
    if d:len() ~= addr_size(family) then return "no address of the family" end
    add_addr(tree, family, f.scope4, f.scope6, d())
end

decode[5] = function(tree, d)
    if d:len() < 2 or d:len() % 2 ~= 0 then return "no list of codes" end
    for i = 0, d:len() - 2, 2 do tree:add(f.request, d(i, 2)) end
end

decode[7] = function(tree, d)
    if d:len() ~= 4 then return "length is not 4" end
    tree:add(f.min_count, d(0, 2))
    tree:add(f.count, d(2, 2))
    if d(0, 2):uint() > d(2, 2):uint() then return "minimum above desired" end
end

decode[8] = function(tree, d)
    if d:len() > 0 then tree:add(f.language, d()) end
end

decode[9] = function(tree, d, family)
    local n = addr_size(family)
    if n == nil or d:len() < 1 then return "empty, or of an unknown family" end
    tree:add(f.scopes, d(0, 1))
    local at, total = 1, d:len()
    for _ = 1, d(0, 1):uint() do
        if at + 2 * n + 2 > total then return "a scope is cut" end
        add_addr(tree, family, f.scope4, f.scope6, d(at))
        add_addr(tree, family, f.last4, f.last6, d(at + n))
        tree:add(f.ttl, d(at + 2 * n, 1))
        tree:add(f.names, d(at + 2 * n + 1, 1))
        local names = d(at + 2 * n + 1, 1):uint()
        at = at + 2 * n + 2
        for _ = 1, names do
            if at + 2 > total then return "a name is cut" end
            local q = d(at + 1, 1):uint()
            if q == 0 or at + 3 + q > total then return "the language of a name is empty or cut" end
            local r = d(at + 2 + q, 1):uint()
            if r == 0 or at + 3 + q + r > total then return "a name is empty or cut" end
            tree:add(f.name_default, d(at, 1))
            tree:add(f.name_lang, d(at + 2, q))
            tree:add_packet_field(f.name, d(at + 3 + q, r), ENC_UTF_8)
            at = at + 3 + q + r
        end
    end
    if at ~= total then return "more than the scopes told" end
end

decode[10] = function(tree, d, family)
    local n = addr_size(family)
    if n == nil or d:len() % (n + 2) ~= 0 then return "no list of ranges of the family" end
    for i = 0, d:len() - 1, n + 2 do
        add_addr(tree, family, f.first4, f.first6, d(i))
        tree:add(f.size, d(i + n, 2))
    end
end

decode[12] = function(tree, d)
    local at = 0
    for _, field in ipairs({ f.supported, f.requested, f.required }) do
        if at + 2 > d:len() then return "a list is missing" end
        local n = d(at, 2):uint()
        at = at + 2
        if at + 2 * n > d:len() then return "a list is cut" end
        for _ = 1, n do
            tree:add(field, d(at, 2))
            at = at + 2
        end
    end
    if at ~= d:len() then return "more than three lists" end
end

decode[16] = function(tree, d)
    if d:len() < 2 then return "shorter than 2" end
    tree:add(f.error, d(0, 2))
    local code, n = d(0, 2):uint(), d:len() - 2
    if code <= 1 and n >= 2 then tree:add(f.error_option, d(2, 2)) end
    if code == 2 and n >= 4 then tree:add(f.error_time, d(2, 4)) end
    if code == 4 then
        for i = 2, d:len() - 2, 2 do tree:add(f.error_feature, d(i, 2)) end
    end
end

decode[17] = function(tree, d)
    if d:len() < 1 then return "empty" end
    tree:add(f.nest_scopes, d(0, 1))
    local n = d(0, 1):uint()
    local row = math.floor((n - 1 + 7) / 8)
    if d:len() ~= 1 + n * row then return "no matrix for so many scopes" end
    if row > 0 then
        for i = 0, n - 1 do tree:add(f.nest_row, d(1 + i * row, row)) end
    end
end

-- empty stands for the data of an option without any, of which there can be no Tvb.
local empty = { len = function() return 0 end }

function madcap.dissector(buffer, pinfo, root)
    if buffer:len() < 12 or buffer(0, 1):uint() ~= 0 then return 0 end
    pinfo.cols.protocol = "MADCAP"
    local tree = root:add(madcap, buffer())
    local typ, family = buffer(1, 1):uint(), buffer(2, 2):uint()
    tree:add(f.version, buffer(0, 1))
    tree:add(f.type, buffer(1, 1))
    tree:add(f.family, buffer(2, 2))
    tree:add(f.xid, buffer(4, 4))
    pinfo.cols.info = string.format("%s xid 0x%08x", types[typ] or ("type " .. typ), buffer(4, 4):uint())

    local at, seen, ended = 8, {}, false
    while at < buffer:len() do
        if ended then
            bad(tree, "more behind End")
            break
        end
        if at + 4 > buffer:len() then
            bad(tree, "an option is cut")
            break
        end
        local code, n = buffer(at, 2):uint(), buffer(at + 2, 2):uint()
        if at + 4 + n > buffer:len() then
            bad(tree, "an option is cut")
            break
        end
        local o = tree:add(f.option, buffer(at, 2))
        o:set_len(4 + n)
        o:add(f.length, buffer(at + 2, 2))
        if seen[code] then bad(o, "an option is there twice") end
        seen[code] = true
        if code == 0 then
            ended = true
            if n > 0 then bad(o, "End with data") end
        elseif decode[code] then
            local data = n > 0 and buffer(at + 4, n):tvb() or empty
            local wrong = decode[code](o, data, family)
            if wrong then bad(o, wrong) end
        else
            o:add_proto_expert_info(e_unknown)
            if n > 0 then o:add(f.data, buffer(at + 4, n)) end
        end
        at = at + 4 + n
    end
    if not ended then bad(tree, "there is no End") end
    return buffer:len()
end

DissectorTable.get("udp.port"):add(2535, madcap)
