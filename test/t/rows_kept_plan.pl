# A planner of another extension, such as that of Citus, may make plans that can be executed only once: such a statement is
# planned anew for each batch.
use strict;
use warnings;

use FindBin;
use PostgreSQL::Test::Utils;
use Test::More;
use TwoServers;

my $library = PostgreSQL::Test::Utils::tempdir() . '/plan_once.so';
my ($source, $destination) = start_servers();
my $headers = $ENV{SERVER_HEADERS} // '';
plan skip_all => 'needs g++ and the headers of the server'
  if system("g++ -std=c++20 -O1 -shared -fPIC -isystem '$headers' -o '$library' '$FindBin::RealBin/../lib/plan_once.cpp'") != 0;

$source->safe_psql('postgres', 'CREATE TABLE event AS SELECT i AS id, i % 7 AS v FROM generate_series(1, 500) AS i');
$destination->safe_psql('postgres', 'CREATE TABLE event (id int PRIMARY KEY, v int CHECK (v < 6))');
$destination->append_conf('postgresql.conf', "session_preload_libraries = '$library'\n");
$destination->restart;

my $expected = "429\n" . $source->safe_psql('postgres', 'SELECT count(*), sum(v) FROM event WHERE v < 6');
my @some = ('SELECT * FROM event WHERE v < 6', undef, target => "'event'", batch => 100);
my %modes = (append => [ on_rerun => "'run'" ], skip => [], upsert => [], replace => [ replace_where => "'true'" ]);
for my $mode (sort keys %modes)
{
	for my $reject ('stop', 'reject')
	{
		my $call = copy_sql(@some, mode => "'$mode'", on_error => "'$reject'", @{ $modes{$mode} });
		is($destination->safe_psql('postgres', "TRUNCATE event; $call; SELECT count(*), sum(v) FROM event"), $expected,
			"mode $mode, on_error $reject: each of five batches is planned");
	}
}
is($destination->safe_psql('postgres', 'TRUNCATE event; ' . copy_sql('SELECT * FROM event', undef, target => "'event'", batch => 100, on_rerun => "'run'", on_error => "'reject'")
	  . '; SELECT count(*), sum(v) FROM event'), $expected, 'rejected rows: each part of a batch is planned');
is($destination->safe_psql('postgres', 'TRUNCATE event; ' . copy_sql('SELECT * FROM event', undef, target => "'event'", batch => 100, on_rerun => "'run'",
		transform => "'SELECT id, v FROM batch WHERE v < 6'") . '; SELECT count(*), sum(v) FROM event'), $expected, 'transform');
# Such an extension gets larger batches, if none was asked for.
$source->safe_psql('postgres', 'INSERT INTO event SELECT i, 0 FROM generate_series(501, 2500) AS i');
my $batches = 'SELECT batches FROM copy_incremental_runs WHERE run_id = (SELECT max(run_id) FROM copy_incremental_runs)';
is($destination->safe_psql('postgres', 'TRUNCATE event; ' . copy_sql(@some, batch => 'NULL', on_rerun => "'run'") . "; $batches"), "2429\n1", 'the default batch is larger');
is($destination->safe_psql('postgres', 'TRUNCATE event; ' . copy_sql(@some, batch => $_, on_rerun => "'run'") . "; $batches"), "2429\n2", "a batch of $_ is as it was asked for")
  for 1500, 2000;
for my $case ([ '', '50000' ], [ ', batch => NULL', '50000' ], [ ', batch => 2000', '2000' ], [ ', batch => 300', '300' ], [ ', on_error => $$reject$$', '2000' ])
{
	my ($options, $rows) = @$case;
	$destination->safe_psql('postgres', "SELECT copy_incremental_create_job('sized', 'src', 'SELECT * FROM event', window_size => NULL, mode => 'skip', or_replace => true$options)");
	like($destination->safe_psql('postgres', "SELECT * FROM copy_incremental_explain('sized')"), qr/^batch\|$rows rows/m, "explain: the batch of a job$options");
}
$destination->safe_psql('postgres', "SELECT copy_incremental_create_job('sized', 'src', 'SELECT * FROM event WHERE v < 6', window_size => NULL, mode => 'skip', batch => 2000, or_replace => true)");
is($destination->safe_psql('postgres', "TRUNCATE event; SELECT copy_incremental_run('sized', NULL); $batches; SELECT options->>'batch' FROM copy_incremental_jobs"), "2429\n2\n2000", 'a job with a batch of 2,000');
like($destination->safe_psql('postgres', look_sql('explain', @some, mode => "'skip'")), qr/^batch\|\d+ rows.*^note\|an extension, such as Citus, executes the INSERT, .*left unchanged/ms, 'explain says so');
no_session_left($source, 'no session is left at the source');
done_testing();
