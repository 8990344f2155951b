# A real PgBouncer between the servers: in transaction mode everything works as without it, and nothing leaks to others.
use strict;
use warnings;

use PgBouncer;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use TwoServers;
use Test::More;
use Time::HiRes qw(time usleep);

plan skip_all => 'pgbouncer is not installed' unless PgBouncer::program();

my ($source, $destination) = start_servers(destination => "timezone = 'Asia/Tokyo'\n");
my $password = $TwoServers::password;

# Three pools for one database: of ten, of one, and one in statement mode.
my $pooler = PgBouncer->start($source, [ ten => 'pool_size=10', one => 'pool_size=1', statements => 'pool_mode=statement' ]);
my $port = $pooler->port;

sub conninfo { my ($pool) = @_; return "host=127.0.0.1 port=$port dbname=$pool user=etl_reader password=$password" }
sub pooled { my ($pool, $sql) = @_; return $source->safe_psql('postgres', $sql, connstr => conninfo($pool)) }

# The text of a call through a pool.
sub through
{
	my ($pool, $query, $day, %argument) = @_;
	return copy_sql($query, $day, src_conninfo => "'" . conninfo($pool) . "'", %argument);
}

$source->safe_psql('postgres', <<~'SQL');
	CREATE TABLE rows (id int, at timestamptz);
	INSERT INTO rows SELECT g, timestamptz '2018-07-28 00:00+09' + g * interval '1 minute' FROM generate_series(0, 4319) AS g;
	SQL
$destination->safe_psql('postgres', <<~'SQL');
	CREATE TABLE rows (id int UNIQUE, at timestamptz);
	CREATE TABLE late (id int);
	CREATE FUNCTION late() RETURNS trigger LANGUAGE plpgsql AS $$
	BEGIN PERFORM pg_advisory_lock(1); RAISE EXCEPTION 'too late'; END $$;
	CREATE TRIGGER late BEFORE INSERT ON late EXECUTE FUNCTION late();
	SQL
my ($at_source) = open_session($source);
my ($at_destination) = open_session($destination);

for my $pool ('one', 'ten')
{
	my $settings = q(SELECT array_agg(name || '=' || setting ORDER BY name) FROM pg_settings WHERE name <> 'application_name');
	my $before = pooled($pool, $settings);
	my $server_process = pooled($pool, 'SELECT pg_backend_pid()');
	my %query = (
		placeholder => q[SELECT * FROM rows WHERE at::date = date '{}'],
		parameters => 'SELECT * FROM rows WHERE at >= $1 AND at < $2');
	for my $style (sort keys %query)
	{
		for my $day ('2018-07-28', '2018-07-29', '2018-07-30')
		{
			is($destination->safe_psql('postgres', through($pool, $query{$style}, $day, batch => 500)), 1440,
				"pool of $pool: $style, $day");
		}
		is($destination->safe_psql('postgres', 'SELECT count(*), sum(id), max(at) FROM rows; TRUNCATE rows'),
			'4320|9329040|2018-07-30 23:59:00+09', "pool of $pool: $style, rows");
	}
	is(pooled($pool, 'SELECT pg_backend_pid()'), $server_process, "pool of $pool: one server connection served all");
	is(pooled($pool, $settings), $before, "pool of $pool: its settings are as before");

	# Failing runs
	$destination->safe_psql('postgres', 'INSERT INTO rows VALUES (3000)');
	fails_with($destination, through($pool, 'TABLE rows', undef, batch => 500), '23505', qr/rows_id_key/,
		"pool of $pool: an error at the target in the middle");
	fails_with($destination, through($pool, 'SELECT id + 10000 + 0 / (id - 3000) AS id FROM rows', undef, target => "'rows'", batch => 500), '22012',
		qr/division by zero/, "pool of $pool: an error of the source in the middle");
	fails_with($destination, through($pool, 'SELECT nothing FROM rows', undef), '42703', qr/nothing/,
		"pool of $pool: an error of the source while it parses");
	$destination->safe_psql('postgres', 'TRUNCATE rows');
	is($destination->safe_psql('postgres', through($pool, 'TABLE rows', undef) . '; TRUNCATE rows'), 4320,
		"pool of $pool: a good run after errors");
	is(pooled($pool, $settings), $before, "pool of $pool: its settings are as before after errors");

	# Cancel
	my ($session, $pid) = open_session($destination);
	start_call($session, through($pool, 'SELECT id, at FROM rows WHERE pg_sleep(1) IS NULL', undef));
	my $runs = "SELECT count(*) > 0 FROM pg_stat_activity WHERE usename = 'etl_reader' AND state <> 'idle'";
	ok(poll_session($at_source, "$runs AND query ~ '^FETCH'"), "pool of $pool: the source computes");
	my $begin = time;
	$at_destination->query_safe("SELECT pg_cancel_backend($pid)");
	is((end_of_call($session))[0], '57014', "pool of $pool: cancelled");
	note(sprintf 'pool of %s: %d ms until the error', $pool, 1000 * (time - $begin));
	ok(poll_session($at_source, $runs, 'f'), "pool of $pool: the source computes no longer");
	note(sprintf 'pool of %s: %d ms until the source was free', $pool, 1000 * (time - $begin));
	is($session->query_safe(through($pool, 'TABLE rows', undef) . '; TRUNCATE rows'), 4320, "pool of $pool: a good run after cancel");
	$session->quit;
}

# When the last batch is here, the source's transaction has ended, and the pooler gives the server connection to
# others. An error then must not cancel their query.
$at_destination->query_safe('SELECT pg_advisory_lock(1)');
$at_source->query_safe('SELECT pg_advisory_lock(7)');
my ($session, $pid) = open_session($destination);
start_call($session, through('ten', 'SELECT id FROM rows', undef, target => "'late'", batch => 10000));
ok(poll_session($at_destination, "SELECT count(*) = 1 FROM pg_stat_activity WHERE pid = $pid AND wait_event = 'advisory'"),
	'the last batch is being written');
my $other = $source->background_psql('postgres', on_error_stop => 0, extra_params => [ '-d', conninfo('ten') ]);
my $server_process = $other->query_safe('SELECT pg_backend_pid()');
is($at_source->query_safe("SELECT count(*) FROM pg_stat_activity WHERE pid = $server_process AND query ~ 'pg_backend_pid'"),
	1, 'the pooler has the server connection again');
start_call($other, "SELECT 'undisturbed' FROM pg_advisory_lock(7)");
ok(poll_session($at_source, "SELECT count(*) = 1 FROM pg_stat_activity WHERE pid = $server_process AND wait_event = 'advisory'"),
	'somebody else uses it');
$at_destination->query_safe('SELECT pg_advisory_unlock(1)');
is((end_of_call($session))[0], 'P0001', 'the run fails at the end');
$at_source->query_safe('SELECT pg_advisory_unlock(7)');
like($other->query('SELECT 1'), qr/^undisturbed$/m, 'the other query is not cancelled') or diag($other->{stderr});
$other->quit;
$session->quit;

# The pooler closes the connection at once, and the end may overtake its message when other statements are under way to it.
my $said = '';
for (1 .. 50)
{
	$said = one_line($destination, 'verbose', through('statements', 'TABLE rows', undef));
	last if $said !~ /ERROR:  08006: connection to source server was lost/;
}
like($said, qr/ERROR:  08P01: /, 'statement mode is refused');
like($said, qr/transaction/i, 'and the message says why');
unlike($said, qr/\Q$password\E/, 'without the password');
ok(wait_until($source, "SELECT count(*) = 0 FROM pg_stat_activity WHERE usename = 'etl_reader' AND state IS DISTINCT FROM 'idle'"),
	'no session at the source is in a transaction');

$_->quit for $at_source, $at_destination;
done_testing();
