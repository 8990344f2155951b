// Plans of the extension's own statements, which a session keeps. It executes about twenty for each window, and to
// prepare them takes longer than to execute them. PostgreSQL plans a kept statement again when what it depends on has
// changed.
#pragma once

#include <string>
#include <unordered_map>

#include "server/pg.hpp"

namespace pgci {

class KeptPlans {
  public:
    // Returns where the session keeps the plan of a statement with parameters of these types: null for a new statement,
    // whose plan the caller prepares, keeps and stores there. Returns a null pointer if there are too many statements.
    static SPIPlanPtr *find(const std::string &statement, const Oid *types, std::size_t count) {
        std::string key = statement;
        for (std::size_t i = 0; i < count; ++i) key.append(" ").append(std::to_string(types[i]));
        if (plans_.size() >= most && !plans_.contains(key)) return nullptr;
        return &plans_.try_emplace(std::move(key), nullptr).first->second;
    }

  private:
    static constexpr std::size_t most = 256;
    static inline std::unordered_map<std::string, SPIPlanPtr> plans_{};
};

} // namespace pgci
