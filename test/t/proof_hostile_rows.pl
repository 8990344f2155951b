# A source that sends rows to compare without end, or keys of any length with one hash: a timeout, a cancel and a termination end
# verify_rows, repair and a backfill, and the memory is bounded. The other answers are in connection_hostile_answers.pl.
use strict;
use warnings;

use HostileAnswers;
use HostileProxy;
use PostgreSQL::Test::Utils;
use ProtocolMessages;
use TwoServers;
use Test::More;
use Time::HiRes qw(time usleep);

my ($source, $destination) = start_servers();
on_both('CREATE TABLE rows (id int PRIMARY KEY, at timestamptz, note text)', $source, $destination);
# One row, so that there is one bucket.
$source->safe_psql('postgres', q[INSERT INTO rows VALUES (1, '2018-07-29 12:00+00', 'a row')]);

sub values_of
{
	my ($message) = @_;
	my ($count, $rest) = unpack 'x5 n a*', $message;
	return map { my ($length, $more) = unpack 'N a*', $rest; $rest = substr $more, $length; substr $more, 0, $length } 1 .. $count;
}

# The source has counted 10^12 rows. To the question about the rows it answers with a flood made from the values of the right row.
sub lie
{
	my ($flood) = @_;
	return [ qr/checksum|buckets|rows by key/, 1, sub {
		my (@messages) = @_;
		my ($row) = grep { /^D/ } @messages;
		my @values = values_of($row);
		my @names = map { $_->[0] } @{ HostileAnswers::columns((grep { /^T/ } @messages)[0]) };
		return ((grep { /^[12T]/ } @messages), $flood->(@values)) if $names[0] eq 'k';
		return replace_first('D', row(map { $names[$_] eq 'count' ? 10**12 : $values[$_] } 0 .. $#values))->(@messages);
	} ];
}
my $padding = 'x' x 20_000_000;
my $proxy = start_hostile_proxy($source->port, {
	'the same row' => lie(sub { return flood(row(@_)) }),
	'long keys with one hash' => lie(sub { my ($k, $h) = @_; return flood(sub { row($k, $h, qq({"id": "$_[0]$padding"})) }) }) });

my @rows = ('SELECT id, at, note FROM rows WHERE at >= $1 AND at < $2', '2018-07-29');
my %calls = (
	verify => look_sql('verify', @rows),
	verify_rows => look_sql('verify_rows', @rows),
	repair => look_sql('repair', @rows) =~ s/'2018-07-29'\)$/'2018-07-29', '2018-07-29')/r,
	backfill => stored_job('filled', $rows[0], first_day => "'2018-07-29'") .
	  "; CALL copy_incremental_backfill('filled', '2018-07-29', '2018-07-29', reprocess => 'different')");
sub call
{
	my ($call, $attack) = @_;
	my $conninfo = $proxy->conninfo($attack);
	return "DELETE FROM pgci_jobs; DELETE FROM pgci_coverage;\n" . $calls{$call} =~ s/'src'/\$c\$$conninfo\$c\$/r;
}

my ($at_source) = open_session($source);
my ($watcher) = open_session($destination);
sub leaves_nothing
{
	my ($name) = @_;
	ok(poll_session($at_source, "SELECT count(*) = 0 FROM pg_stat_activity WHERE usename = 'etl_trusted'")
		  && poll_session($watcher, "SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'copy_incremental')"),
		"$name: no session and no worker is left");
	is($watcher->query_safe('SELECT count(*) FROM rows'), 0, "$name: nothing is written");
	return;
}

for my $call (sort keys %calls)
{
	for my $way (qw(timeout cancel terminate))
	{
		my ($session, $pid) = open_session($destination);
		$session->query_safe("SET statement_timeout = '1s'") if $way eq 'timeout';
		start_call($session, call($call, 'the same row'));
		await_call($watcher, $pid) if $way ne 'timeout';
		usleep(1_000_000);
		my $begin = time;
		$watcher->query_safe("SELECT pg_${way}_backend($pid)") if $way ne 'timeout';
		my ($state, $said) = end_of_call($session);
		my $name = "the same row without end, $call, $way";
		is($state, $way eq 'terminate' ? '57P01' : '57014', $name) or diag($said);
		note(sprintf '%s: %.1f s', $name, time - $begin);
		leaves_nothing($name);
		$session->quit if $way ne 'terminate';
	}
}

# The private memory of a process at its highest since it began, in kB.
sub peak { my ($pid) = @_; return slurp_file("/proc/$pid/status") =~ /^VmHWM:\s+(\d+)/m ? $1 : die; }

for my $call (sort grep { $_ ne 'backfill' } keys %calls)
{
	my ($session, $pid) = open_session($destination);
	my $before = peak($pid);
	my ($state, $said) = outcome_within($session, '120s', call($call, 'long keys with one hash'));
	my $growth = peak($pid) - $before;
	like($said, qr/08P01: source server sent an unexpected response\nDETAIL:  Unexpected: too many keys with one hash/, "long keys with one hash, $call");
	note("long keys, $call: $state, memory + $growth kB");
	SKIP:
	{
		skip 'a sanitizer has its own malloc', 1 if $ENV{ASAN_OPTIONS} || $ENV{VALGRIND};
		cmp_ok($growth, '<', 400 * 1024, "long keys with one hash, $call: memory");
	}
	leaves_nothing("long keys with one hash, $call");
	$session->quit;
}

# Without a key, the row is its key, and may be long.
on_both('CREATE TABLE wide (at timestamptz, note text)', $source, $destination);
$source->safe_psql('postgres', q[INSERT INTO wide SELECT '2018-07-29 12:00+00', repeat(n::text, 70000000) FROM generate_series(1, 2) AS n]);
$destination->safe_psql('postgres', q[INSERT INTO wide SELECT '2018-07-29 12:00+00', repeat(n::text, 70000000) FROM generate_series(2, 3) AS n]);
is($destination->safe_psql('postgres', look_sql('verify_rows', 'SELECT at, note FROM wide WHERE at >= $1 AND at < $2', '2018-07-29',
			as => q{SELECT difference, length(key ->> 'note'), left(key ->> 'note', 1) FROM (%s) AS different ORDER BY difference})),
	"extra|70000000|3\nmissing|70000000|1", 'rows of 70 MB that differ');

$_->quit for $at_source, $watcher;
done_testing();
