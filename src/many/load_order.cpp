#include "many/load_order.hpp"

#include <algorithm>

namespace pgci {

namespace {

class Sorter {
  public:
    Sorter(std::size_t jobs, std::vector<ForeignKey> keys, bool are_deferred)
        : level_(jobs, none), keys_(std::move(keys)), are_deferred_(are_deferred) {}

    LoadOrder sort() {
        while (std::find(level_.begin(), level_.end(), none) != level_.end())
            if (!add_level()) break_cycle();
        return std::move(order_);
    }

  private:
    static constexpr std::size_t none = static_cast<std::size_t>(-1);

    bool is_open(const ForeignKey &key) const { return level_[key.child] == none && level_[key.parent] == none; }

    // Adds the jobs that wait for no other. Returns false if there are none.
    bool add_level() {
        std::vector<std::size_t> level;
        for (std::size_t job = 0; job < level_.size(); ++job)
            if (level_[job] == none && std::none_of(keys_.begin(), keys_.end(), [&](const ForeignKey &key) {
                    return key.child == job && is_open(key);
                }))
                level.push_back(job);
        if (level.empty()) return false;
        add(std::move(level));
        return true;
    }

    void add(std::vector<std::size_t> level) {
        for (const std::size_t job : level) level_[job] = order_.levels.size();
        order_.levels.push_back(std::move(level));
    }

    // Does without the deferred keys, or else loads a job before those that it refers to.
    void break_cycle() {
        const auto is_deferred = [&](const ForeignKey &key) {
            return are_deferred_ && key.is_deferrable && is_open(key);
        };
        if (std::erase_if(keys_, is_deferred) > 0) return;
        const std::size_t job = first_of_cycle();
        for (const ForeignKey &key : keys_)
            if (key.child == job && is_open(key)) order_.broken.push_back(key);
        add({job});
    }

    // Follows the keys from any job to one that was passed before, because a job may only refer to a cycle.
    std::size_t first_of_cycle() const {
        std::vector<std::size_t> path;
        auto job = static_cast<std::size_t>(std::find(level_.begin(), level_.end(), none) - level_.begin());
        while (std::find(path.begin(), path.end(), job) == path.end()) {
            path.push_back(job);
            job = std::find_if(keys_.begin(), keys_.end(), [&](const ForeignKey &key) {
                      return key.child == path.back() && is_open(key);
                  })->parent;
        }
        return *std::min_element(std::find(path.begin(), path.end(), job), path.end());
    }

    std::vector<std::size_t> level_; // of each job
    std::vector<ForeignKey> keys_;
    bool are_deferred_;
    LoadOrder order_{};
};

} // namespace

LoadOrder order_by_foreign_keys(std::size_t jobs, std::vector<ForeignKey> keys, bool are_deferred) {
    return Sorter(jobs, std::move(keys), are_deferred).sort();
}

} // namespace pgci
