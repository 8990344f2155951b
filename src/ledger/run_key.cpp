#include "ledger/run_key.hpp"

#include "server/guard.hpp"
#include "template/template_scanner.hpp"

namespace pgci {

// Returns 64 hexadecimal digits.
static std::string sha256_text(const std::string &content) {
    return pg_call([&] {
        const Datum bytes = PointerGetDatum(cstring_to_text_with_len(content.data(), static_cast<int>(content.size())));
        const Datum hash = DirectFunctionCall1(sha256_bytea, bytes);
        const Datum hexadecimal = DirectFunctionCall2(binary_encode, hash, CStringGetTextDatum("hex"));
        return text_to_cstring(DatumGetTextPP(hexadecimal));
    });
}

SourceIdentity identify_source(const ConnectionOptions &options) {
    SourceIdentity source{
        .name = options.identity(), .server = options.server_oid, .place = sha256_text(options.place())};
    // Such a name may contain a piece of a password.
    if (options.server.empty() && !options.names_are_plain())
        source.name = "connection string " + sha256_text(source.name).substr(0, 16);
    return source;
}

bool is_same_source(const SourceIdentity &a, const SourceIdentity &b) {
    return (OidIsValid(a.server) && a.server == b.server) || a.place == b.place;
}

Parameter window_parameter(const RunKey &key, WindowKind kind) {
    return window_parameter(kind, key.window && key.window->kind() == kind ? std::optional(key.window->span())
                                                                           : std::nullopt);
}

std::string hash_query(const CopyRequest &request) {
    std::string text = token_text(request.query_template);
    // No token is of the kind "c".
    const std::optional<std::string> &column = request.window_column;
    if (column) text += "c" + std::to_string(column->size()) + ":" + *column;
    return sha256_text(text);
}

std::string hash_transform(const CopyRequest &request) {
    return request.transform ? sha256_text(token_text(*request.transform)) : "";
}

} // namespace pgci
