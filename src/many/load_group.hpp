// Loads the windows of a job group from one snapshot of the source.
#pragma once

#include <vector>

#include "many/load_windows.hpp"

namespace pgci {

// Loads the windows of the jobs, which must be of one group. Jobs whose targets have foreign keys to those of others are loaded after
// them. `is_atomic`: the windows of all jobs that have the same bounds are loaded in one transaction, in this session, and all or none of
// them are committed; the jobs need windows of time of the same size. If the snapshot is lost, the windows that are left are read in a new one, with a NOTICE, as often as the option `retries` of
// a job of the group says. Failures are reported and recorded as WindowLoader::load() does.
void load_group(WindowLoader &loader, const std::string &group, std::vector<JobWindows> jobs, bool is_atomic);

} // namespace pgci
