-- What the scripts share; it stands in front of each of them.

-- Whether the claim is still in the hands of the one who has this token.
local function held(processing, claim, id, token)
    return redis.call('HGET', claim, 'token') == token and redis.call('ZSCORE', processing, id)
end

-- Comes before the first write of a script that takes work away. A Redis without memory refuses a script whose first write needs
-- some, and could never be emptied; it does not refuse this, which changes nothing, nor what follows it. One that may not be
-- written to at all refuses it.
local function allow_writes(claim)
    redis.call('HDEL', claim, 'none')
end

local function failed(reply)
    return type(reply) == 'table' and reply.err ~= nil
end

-- Pushes a response to a list, or to the common one where that list cannot take it (it is no list, or we may not write to it).
-- The common list's own failure ends the script, which must not have written anything by then; where it has, a further copy is given
-- up: the script would be run again, and would hand over what it has handed over already.
local function deliver(list, response, replies, is_further_copy)
    local length = redis.pcall('LPUSH', list, response)
    local fell_back = false
    if failed(length) then
        if is_further_copy then
            length = redis.pcall('LPUSH', replies.common, response)
            if failed(length) then
                return true
            end
        else
            length = redis.call('LPUSH', replies.common, response)
        end
        fell_back = list ~= replies.common
        list = replies.common
    end
    if list == replies.common then
        if length > replies.max_common then
            redis.call('LTRIM', list, 0, replies.max_common - 1)
        end
    elseif replies.ttl > 0 and (length == 1 or redis.call('PTTL', list) >= 0) then
        -- A list that somebody keeps without an end stays one.
        redis.call('PEXPIRE', list, replies.ttl)
    end
    return fell_back
end
