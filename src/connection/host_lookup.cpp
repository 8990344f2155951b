#include "connection/host_lookup.hpp"

#include <arpa/inet.h>

#include "connection/name_process.hpp"

namespace pgci {

namespace {

// An entry of the lists host, hostaddr and port, which libpq tries one after the other.
struct Endpoint {
    std::string host;
    std::string address;
    std::string port;
};

std::vector<std::string> split(std::string_view list, char separator) {
    std::vector<std::string> parts;
    for (std::size_t end; (end = list.find(separator)) != std::string_view::npos; list.remove_prefix(end + 1))
        parts.emplace_back(list.substr(0, end));
    parts.emplace_back(list);
    return parts;
}

bool is_numeric(const std::string &host) {
    unsigned char address[sizeof(in6_addr)];
    return inet_pton(AF_INET, host.c_str(), address) == 1 || inet_pton(AF_INET6, host.c_str(), address) == 1;
}

bool needs_lookup(const Endpoint &endpoint) {
    const std::string &host = endpoint.host;
    return endpoint.address.empty() && !host.empty() && host[0] != '/' && host[0] != '@' && !is_numeric(host);
}

// None where lists have different lengths: libpq has a message about that.
std::vector<Endpoint> endpoints_of(const ConnectionOptions &options) {
    const std::vector<std::string> hosts = split(options.value_or("host", ""), ',');
    const std::string_view address_list = options.value_or("hostaddr", "");
    std::vector<std::string> addresses = split(address_list, ',');
    if (address_list.empty()) addresses.resize(hosts.size());
    const std::vector<std::string> ports = split(options.value_or("port", ""), ',');
    if (addresses.size() != hosts.size() || (ports.size() != 1 && ports.size() != hosts.size())) return {};
    std::vector<Endpoint> endpoints;
    for (std::size_t i = 0; i < hosts.size(); ++i)
        endpoints.push_back({hosts[i], addresses[i], ports[ports.size() == 1 ? 0 : i]});
    return endpoints;
}

std::string join(const std::vector<Endpoint> &endpoints, std::string Endpoint::*part) {
    std::string list;
    for (const Endpoint &endpoint : endpoints)
        list.append(list.empty() && &endpoint == &endpoints[0] ? "" : ",").append(endpoint.*part);
    return list;
}

} // namespace

AddressedOptions look_up_hosts(const ConnectionOptions &options, const Deadline &deadline, MemoryContext memory) {
    const std::vector<Endpoint> endpoints = endpoints_of(options);
    if (std::none_of(endpoints.begin(), endpoints.end(), needs_lookup)) return {.options = options.options};
    std::vector<Endpoint> addressed;
    std::string failure;
    for (const Endpoint &endpoint : endpoints) {
        if (!needs_lookup(endpoint)) {
            addressed.push_back(endpoint);
            continue;
        }
        const ContextOwned<NameProcess> process(memory);
        const std::string answer = process->start(endpoint.host.c_str())
                                       ? await_answer(*process, deadline)
                                       : std::string("!could not start a process that looks it up: ") + strerror(errno);
        if (answer.empty()) return {.found = false};
        if (answer[0] == '!') {
            failure += "could not translate host name \"" + endpoint.host + "\" to address: " + answer.substr(1) + "\n";
            continue;
        }
        for (const std::string &address : split(std::string_view(answer).substr(0, answer.size() - 1), '\n'))
            addressed.push_back({endpoint.host, address, endpoint.port});
    }
    if (addressed.empty()) return {.found = false, .failure = failure};
    ConnectionOptions result = options;
    result.set("host", join(addressed, &Endpoint::host));
    result.set("hostaddr", join(addressed, &Endpoint::address));
    if (options.find("port") != nullptr) result.set("port", join(addressed, &Endpoint::port));
    return {.options = std::move(result.options)};
}

} // namespace pgci
