# By hand, PG_TEST_EXTRA=peers: what dblink and postgres_fdw do with the same hostile sources, beside copy_incremental().
# Prints a table. A backend that neither ends nor can be cancelled is killed, with signal 9.
use strict;
use warnings;

use HostileSource;
use ProtocolMessages;
use List::Util qw(max);
use PostgreSQL::Test::Utils qw(slurp_file);
use TwoServers;
use Test::More;
use Time::HiRes qw(time usleep);

plan skip_all => 'by hand, with PG_TEST_EXTRA=peers' unless ($ENV{PG_TEST_EXTRA} // '') =~ /\bpeers\b/;

my $head = sub { my (@more) = @_; return sub { return ((grep { /^[12T]/ } @_), @more) } };
# What the source does with the query: of ours and of postgres_fdw it is a FETCH, of dblink the SELECT itself.
my @cases = (
	[ 'silent after the rows\' description', $head->(silence()) ],
	[ 'silent in mid-row', $head->('D' . pack('N', 100) . 'cut', silence()) ],
	[ 'a message of unknown type, then silence', $head->(message('%', 'x'), silence()) ],
	[ 'NOTICE flood', sub { return flood(notice(M => 'noise ' x 100)) } ],
	[ 'NOTIFY flood', sub { return flood(notify('noise ' x 100)) } ],
	[ 'row flood', sub { my ($t) = grep { /^T/ } @_; my ($d) = grep { /^D/ } @_; return ((grep { /^[12]/ } @_), $t, flood($d)) } ],
	[ 'COPY instead of rows, without an end', sub { return ((grep { /^[12]/ } @_), message('H', pack 'Cn', 0, 0), silence()) } ],
	[ '99 rows announced, 12 sent', sub { return map { /^C....(SELECT|FETCH)/s ? complete("$1 99") : $_ } @_ } ],
	[ 'a row is missing', sub { my $n = 0; return grep { !(/^D/ && ++$n == 3) } @_ } ],
	[ 'text that is not UTF-8', sub { my $n = 0; return map { /^D/ && ++$n == 3 ? s/row/r\377w/r : $_ } @_ } ],
	[ 'SQLSTATE 00000', sub { return map { /^C/ ? error(C => '00000') : $_ } @_ } ],
	[ 'SQLSTATE 57014', sub { return map { /^C/ ? error(C => '57014') : $_ } @_ } ],
	[ 'an error, then success', sub { return map { /^C/ ? (error(C => '22012'), $_) : $_ } @_ } ],
	[ 'client_encoding becomes LATIN1', insert_before('D', parameter('client_encoding', 'LATIN1')) ],
	[ 'a startup that goes on for ever, connect_timeout=2', 'startup', sub { return ($_[0], trickle(parameter('application_name', 'x'))) } ],
	[ 'silent at startup, connect_timeout=2', 'startup', sub { return silence() } ]);

my %scenarios;
for my $i (0 .. $#cases)
{
	my (undef, @what) = @{ $cases[$i] };
	$scenarios{"case $i"} = @what == 2 ? { @what } : { fetch => $what[0], select => $what[0] };
}
my $hostile = start_hostile_source(good => {}, %scenarios);

my $destination = PostgreSQL::Test::Cluster->new('destination');
$destination->init(extra => [ '--encoding', 'UTF8', '--no-locale' ]);
$destination->append_conf('postgresql.conf', "restart_after_crash = on\nlog_statement = none\n");
$destination->start;
my $port = $hostile->port;
$destination->safe_psql('postgres', <<~SQL);
	CREATE EXTENSION pg_copy_incremental;
	CREATE EXTENSION dblink;
	CREATE EXTENSION postgres_fdw;
	CREATE TABLE rows (id int, note text);
	SQL
for my $name ('good', map { "case $_" } 0 .. $#cases)
{
	$destination->safe_psql('postgres', <<~SQL);
		CREATE SERVER "$name" FOREIGN DATA WRAPPER postgres_fdw
		  OPTIONS (host '127.0.0.1', port '$port', dbname '$name', sslmode 'disable', connect_timeout '2');
		CREATE USER MAPPING FOR PUBLIC SERVER "$name" OPTIONS (user 'etl_reader');
		CREATE FOREIGN TABLE "table of $name" (id int, note text) SERVER "$name" OPTIONS (table_name 'rows');
		SQL
}

my %method = (
	copy_incremental => sub { copy_sql('SELECT id, note FROM rows', undef, src_conninfo => "'$_[0]'", batch => 100, target => "'rows'") },
	dblink => sub { my $c = $hostile->conninfo($_[0], 'connect_timeout=2') =~ s/'/''/gr;
		"INSERT INTO rows SELECT * FROM dblink('$c', 'SELECT id, note FROM rows') AS r(id int, note text)" },
	postgres_fdw => sub { qq(INSERT INTO rows SELECT * FROM "table of $_[0]") });

sub memory
{
	my ($pid) = @_;
	my $map = eval { slurp_file("/proc/$pid/smaps_rollup") } // '';
	return $map =~ /^Anonymous: +(\d+) kB/m ? $1 : 0;
}

# What became of a call: its statement_timeout is 3 s; after 6 s it is cancelled, after 10 s terminated, after 75 s, 3 GB
# of memory or 3 GB of log killed.
sub outcome
{
	my ($sql) = @_;
	my $client = start_client($destination, 'peer', "SET statement_timeout = '3s'; SET client_min_messages = error; $sql");
	my ($pid, $peak, $begin) = (0, 0, time);
	my $log = -s $destination->logfile;
	my ($watcher) = open_session($destination);
	for (1 .. 100) { $pid = $watcher->query_safe("SELECT pid FROM pg_stat_activity WHERE application_name = 'peer'"); last if $pid || !$client->{run}->pumpable; }
	my @done;
	while ($pid && $client->{run}->pumpable)
	{
		$client->{run}->pump_nb;
		$peak = max($peak, memory($pid));
		my $for = time - $begin;
		if (@done == 0 && $for > 6) { $watcher->query_safe("SELECT pg_cancel_backend($pid)"); push @done, 'cancel'; }
		if (@done == 1 && $for > 10) { $watcher->query_safe("SELECT pg_terminate_backend($pid)"); push @done, 'terminate'; }
		if (@done == 2 && ($for > 75 || $peak > 3_000_000 || (-s $destination->logfile) - $log > 3e9)) { kill 'KILL', $pid; push @done, 'kill'; }
		usleep(20_000);
	}
	my $took = time - $begin;
	my ($state) = end_of_client($client);
	eval { $watcher->quit };
	wait_until($destination, 'SELECT 1', 1);
	my $rows = $destination->safe_psql('postgres', 'SELECT count(*) FROM rows');
	$destination->safe_psql('postgres', 'TRUNCATE rows, pgci_runs');
	return sprintf '%s, %.0f s%s%s%s', @done == 3 ? 'HANGS, killed' : $state eq '00000' ? "accepted, $rows rows" : $state, $took,
	  (@done ? ', after ' . $done[-1] : ''), ($peak > 60_000 ? sprintf(', %d MB', $peak / 1024) : ''),
	  ((-s $destination->logfile) - $log > 500_000 ? sprintf(', log %d MB', ((-s $destination->logfile) - $log) / 1e6) : '');
}

my @names = sort keys %method;
my @table = (join(' | ', 'the source', @names));
for my $i (-1 .. $#cases)
{
	my $scenario = $i < 0 ? 'good' : "case $i";
	my %result = map { $_ => outcome($method{$_}->($scenario)) } @names;
	push @table, join ' | ', $i < 0 ? 'behaves' : $cases[$i][0], @result{@names};
	diag($table[-1]);
	unlike($result{copy_incremental}, qr/HANGS|after|MB/, "copy_incremental: $scenario ends by itself and in bounds");
}
note("| $_ |") for @table;
$destination->stop('immediate');
my $log = slurp_file($destination->logfile) =~ s/was terminated by signal 9/was killed by the test/gr;
open(my $out, '>', $destination->logfile) or die $!;
print $out $log;
close $out;
done_testing();
