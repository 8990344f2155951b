// The connection options of a source, as libpq keywords, and the names that messages may show. Pure C++.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace pgci {

struct ConnectionOption {
    std::string keyword;
    std::string value;
    bool operator==(const ConnectionOption &) const = default;
};

struct ConnectionOptions {
    // One entry for each keyword.
    std::vector<ConnectionOption> options;
    // The name of the foreign server and its OID; empty and 0 for a connection string.
    std::string server;
    std::uint32_t server_oid = 0;
    // The options must contain a password, and the source must have asked for it.
    bool password_required = true;
    // A superuser has set every option (the foreign server of a superuser), so none is refused to other users.
    bool set_by_superuser = false;
    bool chosen_by_other = false; // the foreign server belongs to a role that is not a superuser
    // The URI has a second "@" and may be cut at the wrong place.
    bool cut_in_doubt = false;

    bool operator==(const ConnectionOptions &) const = default;

    // Returns the value of a keyword, or null.
    const std::string *find(std::string_view keyword) const {
        const auto found = std::find_if(options.begin(), options.end(),
                                        [&](const ConnectionOption &option) { return option.keyword == keyword; });
        return found == options.end() ? nullptr : &found->value;
    }

    std::string_view value_or(std::string_view keyword, std::string_view otherwise) const {
        const std::string *const value = find(keyword);
        return value != nullptr && !value->empty() ? std::string_view(*value) : otherwise;
    }

    // Sets an option as libpq does with a list: a later value replaces an earlier one, and an empty value is ignored.
    void set(std::string_view keyword, std::string_view value) {
        const auto found = std::find_if(options.begin(), options.end(),
                                        [&](const ConnectionOption &option) { return option.keyword == keyword; });
        if (found == options.end())
            options.push_back({std::string(keyword), std::string(value)});
        else if (!value.empty())
            found->value = value;
    }

    void add_default(std::string_view keyword, std::string_view value) {
        if (find(keyword) == nullptr) options.push_back({std::string(keyword), std::string(value)});
    }

    // An unescaped "@" or "/" in a password can put parts of it into the host, the port or the database. Messages may
    // show these only if all of them look like names.
    bool names_are_plain() const {
        if (cut_in_doubt) return false;
        constexpr std::size_t longest_host = 255;
        const auto only = [](std::string_view text, std::string_view punctuation) {
            return text.size() <= longest_host && std::all_of(text.begin(), text.end(), [&](char c) {
                       return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                              punctuation.find(c) != std::string_view::npos;
                   });
        };
        const std::string_view port = value_or("port", "5432");
        return only(value_or("host", ""), "._-/") && only(value_or("hostaddr", ""), ".:") &&
               port.find_first_not_of("0123456789") == std::string_view::npos && port.size() <= 5 &&
               only(value_or("dbname", ""), "_-.") && only(value_or("user", ""), "_-.");
    }

    // Identifies the source: the server's name, or host:port/dbname. Show it to other users only if names_are_plain().
    std::string identity() const {
        if (!server.empty()) return server;
        const std::string_view host = value_or("host", value_or("hostaddr", "localhost"));
        std::string name(host);
        name.append(":").append(value_or("port", "5432"));
        return name.append("/").append(value_or("dbname", value_or("user", "")));
    }

    // What determines which database and which of its rows are read, as text that may contain a secret. Connection strings that
    // differ only in spelling have the same.
    std::string place() const {
        std::string text;
        const auto add = [&](std::string_view value) {
            text.append(std::to_string(value.size())).append(":").append(value);
        };
        for (const char *const keyword : {"service", "host", "hostaddr", "user", "options"}) add(value_or(keyword, ""));
        add(value_or("port", "5432"));
        add(value_or("dbname", value_or("user", "")));
        return text;
    }

    // The name of the source in messages. It never contains a secret.
    std::string display_name() const {
        return server.empty() && !names_are_plain() ? "(connection string)" : identity();
    }
};

} // namespace pgci
