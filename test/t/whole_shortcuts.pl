# examples/shortcuts.sql: each shortcut, as a user types it.
use strict;
use warnings;

use FindBin;
use PostgreSQL::Test::Utils;
use Test::More;
use TwoServers;

my ($source, $destination) = start_servers(destination => "timezone = 'UTC'\n");
stay_in_the_day();
on_both('CREATE TABLE users (id int PRIMARY KEY, created_at timestamptz); CREATE TABLE events (id int PRIMARY KEY)', $source, $destination);
$source->safe_psql('postgres', <<~'SQL');
	INSERT INTO users SELECT g, ((now() AT TIME ZONE 'UTC')::date - 4 + g * interval '1 hour') AT TIME ZONE 'UTC' FROM generate_series(0, 95) AS g;
	CREATE SEQUENCE events_id OWNED BY events.id;
	ALTER TABLE events ALTER id SET DEFAULT nextval('events_id');
	INSERT INTO events SELECT nextval('events_id') FROM generate_series(1, 20);
	SQL
$destination->safe_psql('postgres', <<~'SQL');
	ALTER TABLE users ADD CHECK (id <> 30);
	SELECT copy_incremental_create_job('users', 'src', 'SELECT * FROM users', window_column => 'created_at', mode => 'replace',
	                                   first_day => (now() AT TIME ZONE 'UTC')::date - 4, time_zone => 'UTC');
	SELECT copy_incremental_create_job('events', 'src', 'SELECT * FROM events', window_column => 'id', window_size_rows => 10);
	SQL

my $file = "$FindBin::RealBin/../../examples/shortcuts.sql";
my ($list) = slurp_file($file) =~ /^(.*?)^\\set/ms;
my @listed = $list =~ /^--   :(\w+)/mg;
my @set = slurp_file($file) =~ /^\\set (\w+) /mg;
is("@listed", "@set", 'the list at the top has all of them');

# typed(LINE, ...): what psql prints; an error of the server ends it.
sub typed { return $destination->safe_psql('postgres', join "\n", "\\i $file", "\\set job users", @_) }

like(typed(':jobs;'), qr/^users\|src\|public\.users\|replace\|1 day\|4 days\|4\|0\|\|$/m, 'jobs, before the first run');
like(typed(':behind;'), qr/^users\|4 days\|4\|0\|$/m, 'behind');
like(typed(':progress;'), qr/\|public\.users\|missing: 4 windows\|\|\|\|$/m, 'progress: nothing runs, what is missing');
my ($exit, $out, $err) = $destination->psql('postgres', "\\i $file\n\\set job users\n:load;");
like($err, qr/job "users": 3 windows, 72 rows; 1 failed/, 'load');
is($destination->safe_psql('postgres', "\\i $file\n\\set job events\n:load;\n:missing;"), '', 'load, missing: a job of ids');
like(typed(':jobs;'), qr/^users\|.*check constraint "users_id_check"$/m, 'jobs: with the error');
like(typed(':behind;'), qr/^users\|3 days\|1\|0\|new row/m, 'behind: with the error');
like(typed(':missing;'), qr/^\d{4}-\d\d-\d\d\|\[.*\)\|\|missing$/, 'missing');
is(scalar(() = typed(':history;') =~ /\|1\|(succeeded|failed)\|/g), 4, 'history');
like(typed(':runs;'), qr/^\d+\|events\|events\|\[10,20\)\|succeeded\|10\|/m, 'runs');
like(typed(':errors \gx'), qr/^hint\|/m, 'errors, a column a line');
like(typed(':describe;'), qr/^created_at\|/m, 'describe');
like(typed(':explain;'), qr/^insert\|/m, 'explain');
typed("SELECT copy_incremental_create_job('users', 'src', 'SELECT * FROM users', window_column => 'created_at', mode => 'replace', on_error => 'reject',
	first_day => (now() AT TIME ZONE 'UTC')::date - 4, time_zone => 'UTC', or_replace => true);", ':load;');
like(typed(':rejected;'), qr/^users\|users\|\d+\|1\|23514\|new row/m, 'rejected');

# A run under way, seen by a page that is shown again and again.
my $hold = $destination->background_psql('postgres');
$hold->query_safe(q[CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_advisory_xact_lock_shared(7); RETURN new; END']);
$hold->query_safe('CREATE TRIGGER wait BEFORE INSERT ON users FOR EACH ROW EXECUTE FUNCTION wait(); SELECT pg_advisory_lock(7)');
my $run = $destination->safe_psql('postgres', q[SELECT copy_incremental_start('users', (now() AT TIME ZONE 'UTC')::date - 1)]);
ok(wait_until($destination, q[SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event = 'advisory']), 'a run is under way');
my $page = '';
my $script = PostgreSQL::Test::Utils::tempdir() . '/page.sql';
append_to_file($script, "\\i $file\n:progress \\watch 1\n");
my $watch = IPC::Run::start([ 'psql', '-XAt', '-d', $destination->connstr('postgres'), '-f', $script ], '>', \$page, '2>&1');
$watch->pump until $page =~ /(\|users\|copying\|.*){2}/s || !$watch->pumpable;
like($page, qr/(\|users\|copying\|.*){2}/s, 'progress \watch shows it twice');
$watch->kill_kill;
$hold->query_safe('SELECT pg_advisory_unlock(7)');
$destination->safe_psql('postgres', "SELECT copy_incremental_wait($run)");
$hold->quit;
done_testing();
