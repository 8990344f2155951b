# Answers to the questions that a run, explain and verify ask the source: columns, NULLs, rows, sizes and values that are
# not as asked for are 08P01, and an answer without an end costs a bounded amount of memory.
use strict;
use warnings;

use HostileSource;
use ProtocolMessages;
use TwoServers;
use Test::More;
use PostgreSQL::Test::Utils;

# The answer to a question by extended protocol: these columns, these rows.
sub answers
{
	my ($columns, @rows) = @_;
	return sub {
		return ((grep { /^[12]/ } @_), description(map { [ "c$_", 25, 0 ] } 1 .. $columns), (map { ref $_ eq 'ARRAY' ? row(@$_) : $_ } @rows),
			complete('SELECT ' . @rows), $_[-1]);
	};
}
my $endless = sub { my (@more) = @_; return sub { return ((grep { /^[12]/ } @_), description([ 'c', 25, 0 ]), @more) } };
my $settled = answers(3, [ undef, undef, undef ]);    # no transaction is open
my $deep = '[' x 1_000_000 . ']' x 1_000_000;

# A flood has no end; what it sends must not be held.
my %endless = (
	'rows without an end' => $endless->(flood(row('x' x 1000))),
	'empty rows without an end' => $endless->(flood(row(''))),
	'a row of a gigabyte' => $endless->('D' . pack('N n N', 1_000_000_014, 1, 1_000_000_004), flood('x' x 65536)),
	'an error of a gigabyte' => sub { return ('E' . pack('N', 1_000_000_000) . "SERROR\0C22012\0M", flood('x' x 65536)) });
# Columns of a table, so that the run asks for its name.
my $table_columns = message('T', pack('n', 2) . join '', map { "$_->[0]\0" . pack 'NnNnl>n', 4711, $_->[1], $_->[2], -1, -1, 0 } [ 'id', 1, 23 ], [ 'note', 2, 25 ]);
my $of_table = sub { return map { /^T/ ? $table_columns : $_ } @_ };

# Question, answer, scenario, the calls that ask it.
my @cases = (
	(map { [ $_, { explain => $endless{$_} }, qw(copy_incremental copy_incremental_explain) ] } sort keys %endless),
	(map { [ $_, { other => $endless{$_} }, qw(copy_incremental_verify copy_incremental_describe) ] } sort keys %endless),
	[ 'rows without columns that never end', { explain => sub { return ((grep { /^[12]/ } @_), flood(row('x'))) } }, 'copy_incremental' ],
	(map { [ $_, { lookup => $endless{$_} }, 'copy_incremental' ] } sort keys %endless),
	(map { [ $_, { begin => $endless{$_} }, 'copy_incremental' ], [ $_, { settings => $endless{$_} }, 'copy_incremental' ] } sort keys %endless),
	(map { [ $_, { describe => $endless{$_} }, 'copy_incremental' ] } grep { !/rows/ } sort keys %endless),
	[ 'no columns', { explain => answers(0, []) }, qw(copy_incremental copy_incremental_explain) ],
	[ 'two columns', { explain => answers(2, [ 'x', 'y' ]) }, qw(copy_incremental copy_incremental_explain) ],
	[ 'no rows', { explain => answers(1) }, qw(copy_incremental copy_incremental_explain) ],
	[ 'NULL', { explain => answers(1, [undef]) }, qw(copy_incremental copy_incremental_explain) ],
	[ 'a text that is not UTF-8', { explain => answers(1, ["\377"]) }, qw(copy_incremental copy_incremental_explain) ],
	[ 'a zero byte', { explain => answers(1, ["a\0b"]) }, qw(copy_incremental copy_incremental_explain) ],
	[ 'no JSON', { 'explain 2' => answers(1, ['no JSON']), other => $settled }, 'copy_incremental_explain' ],
	[ 'JSON that is a million levels deep', { 'explain 2' => answers(1, [$deep]), other => $settled }, 'copy_incremental_explain' ],
	[ 'no columns', { other => answers(0, []) }, qw(copy_incremental_verify copy_incremental_describe) ],
	[ 'one column', { other => answers(1, ['1']) }, 'copy_incremental_verify' ],
	[ 'two rows', { other => answers(2, [ 1, 1 ], [ 1, 1 ]) }, 'copy_incremental_verify' ],
	[ 'NULL', { other => answers(2, [ 1, undef ]) }, 'copy_incremental_verify' ],
	[ 'a count that is no number', { other => answers(2, [ 'x', 1 ]) }, 'copy_incremental_verify' ],
	[ 'a negative count', { other => answers(2, [ -1, 1 ]) }, 'copy_incremental_verify' ],
	[ 'a count of 20 digits', { other => answers(2, [ '9' x 20, 1 ]) }, 'copy_incremental_verify' ],
	[ 'a sum that is no number', { other => answers(2, [ 1, '1; DROP' ]) }, 'copy_incremental_verify' ],
	[ 'a bucket out of range', { 'other 2' => answers(3, [ 16384, 1, 1 ]), other => answers(2, [ 13, 5 ]) }, 'copy_incremental_verify' ],
	[ 'one column', { lookup => answers(1, ['rows']) }, 'copy_incremental' ],
	[ 'no table', { lookup => answers(2) }, 'copy_incremental' ],
	[ 'an empty name', { lookup => answers(2, [ '', 'rows' ]) }, 'copy_incremental' ],
	[ 'a name of 10000 bytes', { lookup => answers(2, [ 'public', 'x' x 10_000 ]) }, 'copy_incremental' ],
	[ 'another command than BEGIN', { begin => sub { return map { /^C/ ? complete('ROLLBACK') : $_ } @_ } }, 'copy_incremental' ],
	[ 'one column', { settings => sub { return map { /^T/ ? description([ 'x', 25, 0 ]) : /^D/ ? row('1') : $_ } @_ } }, 'copy_incremental' ],
	[ 'a process id that is no number', { settings => sub { return map { /^D/ ? row('x', 'hostile', ('x') x (unpack('x5 n', $_) - 2)) : $_ } @_ } }, 'copy_incremental' ]);

# Estimates that no planner makes are no estimates; scans without a table are none to warn of.
my %estimates = map { ("rows=$_" => { explain => answers(1, ["Seq Scan on rows  (cost=0.00..1.00 rows=$_ width=4)"]), other => $settled }) }
  ('-9223372036854775807', '-1', '9' x 20, '1e300', '0x10', '', '9223372036854775807');
my $no_schema = '[{"Plan": {"Node Type": "Seq Scan", "Filter": "(id = 1)", "Plan Rows": 5}}]';
my @scenarios = map { { $_->[1]{lookup} ? (describe => $of_table) : (), %{ $_->[1] } } } @cases;
# Another table's OID in the description does not choose the target.
my %lies = map { ("lie $_" => { describe => $of_table, lookup => answers(2, [ split /\./ ]) }) } 'public.other', 's.rows';
my $hostile = start_hostile_source(%estimates, %lies, 'no schema' => { explain => answers(1, [$no_schema]), other => $settled }, map { ($_ => $scenarios[$_]) } 0 .. $#scenarios);

my $destination = PostgreSQL::Test::Cluster->new('destination');
$destination->init(extra => [ '--encoding', 'UTF8', '--no-locale' ]);
$destination->start;
$destination->safe_psql('postgres', 'CREATE EXTENSION pg_copy_incremental; CREATE TABLE rows (id int, note text); '
	. q[CREATE TABLE other AS SELECT 1 AS id, 'a row' AS note; CREATE SCHEMA s; CREATE TABLE s.rows AS TABLE other]);

sub call
{
	my ($function, $scenario, %argument) = @_;
	my @call = (q(SELECT id, note FROM rows WHERE note <> '{}'), '2018-07-29', src_conninfo => '$c$' . $hostile->conninfo($scenario) . '$c$', %argument);
	return $function eq 'copy_incremental' ? copy_sql(@call, settle => "'off'") : look_sql($function =~ s/copy_incremental_//r, @call);
}

my ($session, $pid) = open_session($destination);
$session->query_safe("SET statement_timeout = '20s'");

# How far a call's resident memory goes beyond what it was, in kB.
sub growth
{
	my ($call) = @_;
	my $memory = sub { return slurp_file("/proc/$pid/status") =~ /^$_[0]:\s+(\d+) kB/m ? $1 : die };
	append_to_file("/proc/$pid/clear_refs", '5');    # the peak is what it is now
	my $before = $memory->('VmRSS');
	$call->();
	return $memory->('VmHWM') - $before;
}

for my $number (0 .. $#cases)
{
	my ($answer, $scenario, @functions) = @{ $cases[$number] };
	my ($point) = map { s/ \d$//r } grep { $_ ne 'other' || keys %$scenario == 1 } sort keys %$scenario;
	# Only malloc's statistics limit the size of one message, and of the result of a command.
	my $has_no_guard = $ENV{ASAN_OPTIONS} && ($answer =~ /gigabyte/ || $scenario->{begin});
	SKIP: { skip 'a sanitizer has its own malloc', scalar @functions if $has_no_guard; }
	for my $function ($has_no_guard ? () : @functions)
	{
		my $name = "$function: $answer in answer to $point";
		my %argument = $point eq 'lookup' ? () : (target => "'rows'");
		my ($state, $said);
		my $growth = growth(sub { ($state, $said) = outcome_of($session, call($function, $number, %argument)) });
		note("$name: $state, memory + $growth kB: " . substr $said =~ s/\s+/ /gr, 0, 300);
		like($said, qr/08P01: source server sent an unexpected response.*Unexpected: .* in answer to [\w' ]+\./s, $name);
		like($said, qr/in answer to the question about a table's name/, "$name: that question") if $point eq 'lookup';
		SKIP:
		{
			skip 'a sanitizer has its own malloc', 1 if $ENV{ASAN_OPTIONS};
			cmp_ok($growth, '<', 50 * 1024, "$name: memory") if $answer =~ /end|gigabyte|JSON/;
		}
	}
}

for my $estimate (sort keys %estimates)
{
	my ($number) = $estimate =~ /(\d+)$/;
	my $shown = $estimate =~ /=\d{1,19}$/ ? $number : 'unknown';
	my ($state, $said) = outcome_of($session, call('copy_incremental_explain', $estimate, target => "'rows'"));
	like($said, qr/^estimated rows\|$shown$/m, "explain: an estimate of $estimate");
	($state, $said) = outcome_of($session, call('copy_incremental', $estimate, target => "'rows'"));
	is($state, '00000', "a run with an estimate of $estimate") or diag($said);
}
my ($state, $said) = outcome_of($session, call('copy_incremental_explain', 'no schema', target => "'rows'"));
unlike($said, qr/^(error|warning)\|/m, 'explain: a scan without schema');
$session->query_safe('TRUNCATE rows');
for my $case (
	[ 'another table', 'public.other', 'public.rows' ],
	[ 'the table of that name in another schema', 's.rows', 'public.rows' ],
	[ 'one of two joined tables', 'public.other', 'rows JOIN other USING (id)' ],
	[ 'one of two tables in a list', 'public.other', 'rows, other' ],
	[ 'the table beside a subquery', 'public.other', 'other, (SELECT * FROM rows) AS x' ])
{
	my ($name, $lie, $from) = @$case;
	my @call = ("SELECT id, note FROM $from", undef, src_conninfo => '$c$' . $hostile->conninfo("lie $lie") . '$c$', mode => "'replace'");
	my ($state, $said) = outcome_of($session, copy_sql(@call));
	is($state, '42P09', "a lie about the table: $name: the SQLSTATE");
	like($said, qr/could not tell the target.*HINT:  Pass target => 'schema\.table'\./s, "a lie about the table: $name: the error");
	is($session->query_safe('SELECT (SELECT count(*) FROM other), (SELECT count(*) FROM s.rows), (SELECT count(*) FROM rows)'), '1|1|0',
		"a lie about the table: $name: nothing is written");
}
is($session->query_safe('SELECT 1'), 1, 'the same session goes on');
$session->quit;
done_testing();
