# pg_copy_incremental: build with PGXS, check, demo. `make help` lists the targets.

EXTENSION = pg_copy_incremental
MODULE_big = $(EXTENSION)
# The control file is the one place of the version.
EXTVERSION := $(shell sed -n "s/^default_version *= *'\(.*\)'.*/\1/p" $(EXTENSION).control)
FILL_IN := src/script/fill_in
SOURCES := $(filter-out $(FILL_IN).cpp,$(sort $(wildcard src/*/*.cpp)))
ALL_SOURCES := $(sort $(wildcard src/*/*.hpp)) $(SOURCES) $(FILL_IN).cpp

PG_CONFIG ?= pg_config
# The same version everywhere, because others find other things.
CLANG_TIDY ?= clang-tidy-14
# The version that `make check`, `make demo` and `make bench` install packages for and use.
PG_MAJOR ?= 15

# Targets that need no server headers: check, demo and bench install them, then call make again.
OWN_GOALS := help check check-readme check-citus check-versions check-airflow check-packages check-container check-monitoring dist site check-sanitizers check-valgrind coverage demo bench \
	format lint tidy fuzz pgspot release-check compile_commands.json map
GOALS := $(or $(MAKECMDGOALS),all)

ifeq ($(filter-out $(OWN_GOALS),$(GOALS)),)
# ---------------------------------------------------------------- own targets

help:
	@echo 'make                build the extension            (WERROR=1: warnings are errors)'
	@echo 'make install        install it into the server of PG_CONFIG (DESTDIR is honoured)'
	@echo 'make installcheck   run the tests against an installed, running server'
	@echo 'make demo           the main job on real data in throwaway servers   (KEEP=1: leave them up)'
	@echo 'make bench          speed against psql pipes, postgres_fdw, dblink, Python  (BENCH="--help": its options)'
	@echo 'make check          every test in throwaway servers  (TESTS="regress t/rows_types.pl": only these)'
	@echo 'make check-sanitizers    the same on a PostgreSQL built with assertions, ASAN and UBSAN; by hand or nightly'
	@echo 'make check-valgrind the main paths on the server as it is, under valgrind; by hand'
	@echo 'make coverage       the lines and branches of each folder of src/ that make check executes, and what no test reaches'
	@echo 'make check-versions every test on PostgreSQL 15 to 18, and copies between versions, each in its own Debian'
	@echo 'make check-readme  the commands of README.md, pasted into a bare Debian 12'
	@echo 'make check-citus CITUS=/folder    with Citus, built from the source of a release in this folder'
	@echo 'make check-airflow  the Airflow package on Airflow 2 and 3 from PyPI, with two servers'
	@echo 'make check-packages the Debian packages and the PGXN bundle: build, install, test, dump, pg_upgrade, remove'
	@echo 'make check-container    the image of examples/container, built by buildah and run'
	@echo 'make check-monitoring   the examples for Prometheus and Grafana, with a real sql_exporter and Prometheus'
	@echo 'make site           the documentation as a site, in site-output/html, and its links checked'
	@echo 'make dist           the PGXN bundle of the last commit'
	@echo 'make format         format src/ with clang-format'
	@echo 'make lint           what CI lints: formatting, layers, clang-tidy, the table of options'
	@echo 'make fuzz           fuzzers of every parser of foreign bytes (MINUTES=1 of each; MERGE=1 keeps what is new)'
	@echo 'make tidy           clang-tidy on src/, or on FILES="...";  make pgspot: the rules for extension scripts'
	@echo 'make release-check  version, changelog, META.json and tag agree, and the bundle installs'
	@echo 'make map            draw the folders of src/ for CONTRIBUTING.md'
	@echo 'make compile_commands.json    for editors and clang tools'
	@echo 'make reference      write the list of options into doc/reference.md, doc/functions.md and doc/messages.md'
	@echo 'make clean          remove what was built'
	@echo 'demo, check and bench install missing Debian packages and never touch a server that is already there.'

check:
	@PG_MAJOR='$(PG_MAJOR)' test/bin/check

check-sanitizers:
	@PG_MAJOR='$(PG_MAJOR)' SANITIZERS=1 test/bin/check

check-valgrind:
	@PG_MAJOR='$(PG_MAJOR)' VALGRIND=1 TESTS="$${TESTS:-t/run_copy.pl t/target_modes.pl t/target_transform.pl t/run_batches.pl}" test/bin/check

coverage:
	@PG_MAJOR='$(PG_MAJOR)' test/bin/coverage

check-readme:
	@test/bin/check-readme

# CITUS is the folder of a release of Citus, https://github.com/citusdata/citus.
check-citus:
	@PG_MAJOR='$(PG_MAJOR)' CITUS='$(or $(CITUS),$(error set CITUS to the folder of the source of Citus))' \
		TESTS="$${TESTS:-t/whole_citus.pl}" test/bin/check

check-versions:
	@test/bin/check-versions

check-packages:
	@test/package/check-packages

check-container:
	@test/package/check-container

check-monitoring:
	@PG_MAJOR='$(PG_MAJOR)' test/monitoring/check-monitoring

site:
	@test/bin/site

# The same bytes for the same commit: all that is in the bundle is of the commit, and has its time, in UTC.
dist:
	git show HEAD:META.json.in | sed 's/@VERSION@/$(EXTVERSION)/g' > META.json
	TZ=UTC git archive --prefix=$(EXTENSION)-$(EXTVERSION)/ --add-file=META.json \
		-o $(EXTENSION)-$(EXTVERSION).zip HEAD

check-airflow:
	@PG_MAJOR='$(PG_MAJOR)' test/airflow/check-airflow

demo:
	@PG_MAJOR='$(PG_MAJOR)' test/demo/demo

bench:
	@PG_MAJOR='$(PG_MAJOR)' test/bench/bench $(BENCH)

format:
	clang-format -i $(ALL_SOURCES)

fuzz:
	@MINUTES='$(MINUTES)' test/bin/fuzz

# How clang's tools compile a file of the library; PGCI_VERSION and the folders are as the build has them.
compile_commands.json:
	@test/bin/compile-commands '$(PG_CONFIG)' '$(EXTVERSION)' $(SOURCES) >$@

FILES ?= $(SOURCES)
tidy:
	@test/bin/tidy '$(CLANG_TIDY)' '$(PG_CONFIG)' '$(EXTVERSION)' $(FILES)

# PS017: a script creates its objects in the extension's schema, which is first on its search_path, and fails where one
# of that name is there already (test/t/server_hijack.pl); so its own unqualified references find its own objects.
pgspot:
	$(MAKE) --no-print-directory $(EXTENSION)--$(EXTVERSION).sql
	pgspot --ignore PS017 $(EXTENSION)--$(EXTVERSION).sql $(wildcard $(EXTENSION)--*--*.sql)

lint:
	@clang-format --dry-run -Werror $(ALL_SOURCES)
	@test/bin/check-layers
	@$(MAKE) --no-print-directory tidy

map:
	test/bin/draw-map >test/map.svg

release-check:
	@PG_MAJOR='$(PG_MAJOR)' test/bin/release-check

.PHONY: $(OWN_GOALS)

else ifneq ($(filter $(OWN_GOALS),$(GOALS)),)
# ------------------- both kinds, as in `make clean check`: one make for each, in order

.NOTPARALLEL:
.PHONY: $(GOALS)
$(GOALS):
	@$(MAKE) --no-print-directory $@

else
# ---------------------------------------------------------------- the build

PGXS := $(shell $(PG_CONFIG) --pgxs 2>/dev/null)

ifeq ($(wildcard $(PGXS)),)

$(filter-out clean distclean,$(GOALS)):
	@echo 'The PostgreSQL server headers are missing ($(PG_CONFIG) names no PGXS makefile).' >&2
	@echo 'On Debian:  apt-get install postgresql-server-dev-$(PG_MAJOR) libpq-dev g++' >&2
	@echo 'Elsewhere:  make PG_CONFIG=/path/to/pg_config' >&2
	@echo 'Or run `make demo` or `make check`: they install what they need, then build.' >&2
	@exit 1

clean distclean:
	rm -f src/*/*.o src/*/*.d src/.flags compile_commands.json $(FILL_IN) *.so META.json $(EXTENSION)--$(EXTVERSION).sql

else

OBJS = $(SOURCES:.cpp=.o)
# Upgrade scripts
DATA = $(filter-out $(DATA_built),$(wildcard $(EXTENSION)--*.sql))
DATA_built = $(EXTENSION)--$(EXTVERSION).sql
EXTRA_CLEAN = META.json compile_commands.json src/*/*.d src/.flags $(FILL_IN)
REGRESS := $(sort $(patsubst sql/%.sql,%,$(wildcard sql/*.sql)))
REGRESS_OPTS = --encoding=UTF8
ISOLATION := $(sort $(patsubst test/isolation/specs/%.spec,%,$(wildcard test/isolation/specs/*.spec)))
ISOLATION_OPTS = --inputdir=test/isolation --encoding=UTF8
# installcheck does not run the TAP tests, which need IPC::Run and start servers of their own: make check runs them.

# -isystem keeps the server's own headers out of -Wall -Wextra. -MMD -MP: PGXS writes no dependency files.
PG_CPPFLAGS = -I$(srcdir)/src -isystem $(includedir_server) -I$(libpq_srcdir) -DPGCI_VERSION=\"$(EXTVERSION)\" -MMD -MP
# .ci/run sets DEBUG_INFORMATION=0, because it takes a quarter of the time of compiling; test/bin/coverage sets COVERAGE.
WITHOUT_DEBUG = $(if $(filter 0,$(DEBUG_INFORMATION)),-g0)
COUNTING = $(if $(filter 1,$(COVERAGE)),--coverage)
PG_CXXFLAGS = -std=c++20 -Wall -Wextra $(if $(filter 1,$(WERROR)),-Werror) $(WITHOUT_DEBUG) $(COUNTING) $(COUNTING:%=-fprofile-update=atomic)
SHLIB_LINK += $(libpq) $(COUNTING)
# JIT inlining has nothing to gain here, and PGXS's bitcode rule does not know PG_CXXFLAGS.
override with_llvm = no
# PGXS links with the C compiler, which leaves libstdc++ out.
override COMPILER = $(CXX) $(CXXFLAGS)

all: META.json
include $(PGXS)

# A program of the build's own: no header of the server, no flag of the module.
$(FILL_IN): $(FILL_IN).cpp src/request/option_list.hpp src/request/options.inc
	$(CXX) -std=c++20 -Wall -Wextra $(if $(filter 1,$(WERROR)),-Werror) -Isrc -o $@ $<

$(EXTENSION)--$(EXTVERSION).sql: src/script/$(EXTENSION).sql.in $(FILL_IN) $(EXTENSION).control
	$(FILL_IN) script <$< >$@.new
	mv $@.new $@

# The table of options in doc/reference.md, doc/messages.md and doc/functions.md; test/bin/check compares them.
.PHONY: reference
reference: $(FILL_IN)
	perl src/script/list_messages src/*/*.hpp src/*/*.cpp >doc/messages.md
	perl src/script/list_objects src/script/$(EXTENSION).sql.in >doc/functions.md
	$(FILL_IN) reference >$(FILL_IN).md
	sed -i -e '/^<!-- options -->$$/,/^<!-- end of options -->$$/{//!d}' -e '/^<!-- options -->$$/r $(FILL_IN).md' doc/reference.md
	rm $(FILL_IN).md

META.json: META.json.in $(EXTENSION).control
	sed 's/@VERSION@/$(EXTVERSION)/g' $< > $@

# Objects are built again when the flags, the compiler or the server version change; those that passed -Werror
# are good without it, too.
BUILD_FLAGS := $(strip $(VERSION): $(CXX) $(CXXFLAGS) $(CPPFLAGS))
BUILT_FLAGS := $(file <src/.flags)
ifneq ($(if $(filter 1,$(WERROR)),$(BUILT_FLAGS),$(strip $(filter-out -Werror,$(BUILT_FLAGS)))),$(BUILD_FLAGS))
$(file >src/.flags,$(BUILD_FLAGS))
endif
$(OBJS): src/.flags
-include $(OBJS:.o=.d)

endif
endif
