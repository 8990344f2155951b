// The options of a connection to a source, as libpq keywords, and what may be said of them. Pure C++.
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
};

struct ConnectionOptions {
    // Each keyword once.
    std::vector<ConnectionOption> options;
    // The foreign server's name; empty for a connection string.
    std::string server;
    // A password must be among the options, and the source must have asked for it.
    bool password_required = true;
    // Every option was set by a superuser (a foreign server of a superuser), so none is refused to other users.
    bool set_by_superuser = false;
    // Came out of a URI with a second "@", which cuts it at another place than its writer meant.
    bool cut_in_doubt = false;

    // The value of a keyword, or null.
    const std::string *find(std::string_view keyword) const {
        const auto found = std::find_if(options.begin(), options.end(),
                                        [&](const ConnectionOption &option) { return option.keyword == keyword; });
        return found == options.end() ? nullptr : &found->value;
    }

    std::string_view value_or(std::string_view keyword, std::string_view otherwise) const {
        const std::string *const value = find(keyword);
        return value != nullptr && !value->empty() ? std::string_view(*value) : otherwise;
    }

    // A later value takes the place of an earlier one and an empty one says nothing, as libpq has it of a list.
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

    // A connection string with an unescaped "@" or "/" in its password has parts of it in the place of the host,
    // the port or the database. Only where all of these look like what they should be may a message repeat them.
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

    // Which source this is: the server's name, or host:port/dbname. What it shows is fit for others only if names_are_plain().
    std::string identity() const {
        if (!server.empty()) return server;
        const std::string_view host = value_or("host", value_or("hostaddr", "localhost"));
        std::string name(host);
        name.append(":").append(value_or("port", "5432"));
        return name.append("/").append(value_or("dbname", value_or("user", "")));
    }

    // What messages call this source. Never a secret.
    std::string display_name() const {
        return server.empty() && !names_are_plain() ? "(connection string)" : identity();
    }
};

} // namespace pgci
