# This server is a hot standby: what would write is refused before anything connects, with SQLSTATE 25006; what only reads works.
use strict;
use warnings;

use ForkingServer;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use TwoServers;
use Test::More;

my ($source, $primary) = start_servers(destination => "wal_level = replica\nmax_wal_senders = 4\nhot_standby = on\n");
my $mark = PostgreSQL::Test::Utils::tempdir() . '/connected';
my $untouched = ForkingServer->new(sub { append_to_file($mark, 'x') });

on_both('CREATE TABLE job (id int PRIMARY KEY, day date)', $source, $primary);
$source->safe_psql('postgres', "INSERT INTO job SELECT g, '2018-07-29' FROM generate_series(1, 10) AS g");
my $query = 'SELECT * FROM job WHERE day = $1';
my $run = $primary->safe_psql('postgres', job_sql('start', $query, '2018-07-29', target => "'job'", time_zone => "'UTC'"));
$primary->safe_psql('postgres', "SELECT copy_incremental_wait($run)");
$primary->backup('backup');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'backup', has_streaming => 1);
$standby->start;
$primary->wait_for_catchup($standby);

my @to_nobody = ($query, '2018-07-30', src_conninfo => q('host=127.0.0.1 user=u dbname=d port=) . $untouched->port . q('), target => "'job'");
my $call = copy_sql(@to_nobody);
for my $case ([ 'copy_incremental()', $call ], [ 'mode replace', copy_sql(@to_nobody, mode => "'replace'", replace_where => '$$day = $1$$') ],
	[ 'method copy', copy_sql(@to_nobody, method => "'copy'") ],
	[ 'copy_incremental_range()', $call =~ s/copy_incremental\(/copy_incremental_range(/r =~ s/'2018-07-30'/'[2018-07-30, 2018-07-31)'/r ],
	[ 'copy_incremental_batches()', by_batches($call) ],
	(map { [ "copy_incremental_backfill(), workers $_", "CALL copy_incremental_backfill('job_1', '2018-07-30', '2018-07-31', $_)" ] } 1, 2),
	[ 'copy_incremental_catch_up()', 'CALL copy_incremental_catch_up()' ],
	[ 'copy_incremental_start()', "SELECT copy_incremental_start('job_1', '2018-07-30')" ],
	[ 'copy_incremental_forget()', "SELECT copy_incremental_forget('job', NULL, NULL)" ],
	[ 'copy_incremental_cancel()', "SELECT copy_incremental_cancel($run)" ])
{
	my ($name, $sql) = @$case;
	fails_with($standby, $sql, '25006', qr/during recovery|in a read-only transaction/, "refused: $name");
	ok(!-e $mark, "nothing has connected: $name");
}

is(one_line($standby, 'default', 'SELECT count(*) FROM job', "SELECT copy_incremental_wait($run)", "SELECT day FROM copy_incremental_missing('job_1', '2018-07-28', '2018-07-30')",
		'SELECT count(*) FROM copy_incremental_runs'), '10 t 2018-07-28 2018-07-30 1', 'the ledger can be read');
is(one_line($standby, 'default', "SELECT matches, source_rows, target_rows, missing, extra, changed FROM copy_incremental_verify('job_1', '2018-07-29')"), 't|10|10|0|0|0',
	'copy_incremental_verify()');
is(one_line($standby, 'default', "SELECT count(*) FROM copy_incremental_describe('job_1')"), '2', 'copy_incremental_describe()');
like(one_line($standby, 'default', "SELECT * FROM copy_incremental_explain('job_1', '2018-07-29')"), qr/target\|public\.job.*INSERT INTO/s, 'copy_incremental_explain()');

# Once it is the primary, it copies.
$standby->promote;
is($standby->safe_psql('postgres', copy_sql($query, '2018-07-29', mode => "'upsert'", time_zone => "'UTC'")), 0, 'after its promotion');
done_testing();
