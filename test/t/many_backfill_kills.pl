# A year's backfill whose worker, leader and server are killed in the middle: every day is there whole or not at all, and
# the ledger knows which; the same call again makes it equal to the source.
use strict;
use warnings;

use FindBin;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);
use TwoServers;

my $zone = 'America/New_York';
my ($source, $destination) = start_servers(
	source => "timezone = '$zone'\n", destination => "timezone = '$zone'\nrestart_after_crash = on\n");
my $data = "$FindBin::RealBin/../data";

$_->safe_psql('postgres', slurp_file("$data/schema.sql")) for $source, $destination;
my $csv = PostgreSQL::Test::Utils::tempdir() . '/weather.csv';
system("zcat $data/weather.csv.gz > $csv") == 0 or die 'zcat weather.csv.gz';
$source->safe_psql('postgres', "\\copy weather FROM '$csv' WITH (FORMAT csv, HEADER, NULL 'NA')");

# day => rows|checksum.
sub days
{
	my ($node) = @_;
	return { map { split /\|/, $_, 2 } split /\n/, $node->safe_psql('postgres',
		'SELECT time_hour::date, count(*), sum(hashtextextended(t::text, 0)::numeric) FROM weather AS t GROUP BY 1') };
}

my $of_source = days($source);
$destination->safe_psql('postgres', define_job('weather', 'SELECT * FROM weather WHERE time_hour >= $1 AND time_hour < $2', first_day => "'2013-01-01'"));
my $call = q[CALL copy_incremental_backfill('weather', '2013-01-01', '2013-12-31', workers => 3)];
my $done = q[SELECT count(*) FROM copy_incremental_runs WHERE status = 'succeeded'];

# Lets so many more days be copied, then kills the processes that the query finds.
sub kill_in_the_middle
{
	my ($name, $more, $which) = @_;
	my $before = $destination->safe_psql('postgres', $done);
	my $client = start_client($destination, 'leader', $call);
	my ($session) = open_session($destination);
	poll_session($session, "SELECT ($done) >= $before + $more") or die 'the backfill does not get on';
	my @pids = $which ? split /\n/, $session->query_safe("SELECT pid FROM pg_stat_activity WHERE $which LIMIT 1") : ();
	@pids = ($destination->{_pid}) unless $which;
	my $offset = -s $destination->logfile;
	kill 'KILL', @pids;
	if ($which) { $destination->wait_for_log(qr/database system is ready to accept connections/, $offset); }
	else
	{
		# Its processes have to notice first.
		for (1 .. 600)
		{
			$destination->{_pid} = undef;
			last if $destination->start(fail_ok => 1);
			usleep(100_000);
		}
	}
	eval { $session->quit };
	$client->{run}->finish;
	no_session_left($source, "$name: nothing is left at the source");
	my $found = days($destination);
	my @wrong = grep { $found->{$_} ne $of_source->{$_} } sort keys %$found;
	is("@wrong", '', "$name: every day is there whole, or not at all");
	my $known = $destination->safe_psql('postgres', q[SELECT string_agg(lower(data_interval)::date::text, ' ' ORDER BY 1) FROM
		(SELECT data_interval FROM copy_incremental_runs WHERE status = 'succeeded' AND rows_written > 0 ORDER BY 1) AS r]);
	is($known, join(' ', sort keys %$found), "$name: the ledger knows which");
	cmp_ok(scalar keys %$found, '<', 364, "$name: in the middle");
	return;
}

kill_in_the_middle('a worker', 60, q[backend_type = 'copy_incremental']);
kill_in_the_middle('the leader', 60, q[application_name = 'leader' AND backend_type = 'client backend']);
kill_in_the_middle('the server', 60, undef);
my ($status, $out, $err) = $destination->psql('postgres', $call);
like($err, qr/NOTICE:  job "weather": \d+ windows, \d+ rows\nDETAIL:  \d+ of 365 windows were loaded before\./, 'one more call does what is missing');
is($status, 0, 'and succeeds');
is_deeply(days($destination), $of_source, 'all days of the year are equal to the source by count and checksum');
is($destination->safe_psql('postgres', q[SELECT count(*), count(DISTINCT data_interval) FROM copy_incremental_runs WHERE status = 'succeeded']), '365|365', 'no day was copied twice');
$destination->stop;
kills_were_ours($destination, 2, 'no other process was killed');

done_testing();
