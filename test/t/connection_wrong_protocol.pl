# A hostile source: whatever it answers in whatever place, the run ends with a clear error, the target is as it was, and
# no connection, file descriptor or memory is left. What the protocol allows, but no question expects, is in
# connection_hostile_answers.pl. The B and F numbers count the kinds of bad input and of faults, see test/reliability.md.
use strict;
use warnings;

use HostileSource;
use ProtocolMessages;
use List::Util qw(sum0);
use TwoServers;
use Test::More;

my $violation = qr/source server sent an unexpected response/;
my $lost = qr/connection to source server was lost/;
my $failed = qr/could not connect to source server/;
my $broken = qr/$violation|$lost/;

my @three_rows = map { row(pack('N', $_), "row $_") } 1 .. 3;
my $field_overrun = message('D', pack('n N', 1, 5000) . 'short');
my $too_much = message('D', pack('n NN N a*', 2, 4, 1, 4, 'four') . 'and a rest');

# B number, what is wrong, the scenario, SQLSTATE (a pattern), message.
my @cases = (
	# B69 to B71: messages that are not what they say
	[ 'B69', 'a row of too few fields', { fetch => replace_first('D', row('x')) }, '08P01', $violation ],
	[ 'B69', 'a row of too many fields', { fetch => replace_first('D', row('x', 'y', 'z')) }, '08P01', $violation ],
	[ 'B69', 'a row of no field', { fetch => replace_first('D', row()) }, '08P01', $violation ],
	[ 'B69', 'a later row of too few fields', { 'fetch 2' => replace_first('D', row('x')) }, '08P01', $violation ],
	[ 'B69', 'a field longer than its message', { fetch => replace_first('D', $field_overrun) }, '08P01', $violation ],
	[ 'B69', 'a row with more bytes than its fields', { fetch => replace_first('D', $too_much) }, '08P01', $violation ],
	[ 'B69', 'no RowDescription', { fetch => without('T') }, '08P01', $violation ],
	[ 'B69', 'another RowDescription in mid-rows', { fetch => insert_after('D', description([ 'id', 23, 1 ])) }, '08P01|08006', $broken ],
	[ 'B70', 'a row of 2 GB', { fetch => replace_first('D', 'D' . pack('N', 2**31 - 1), silence()) }, '08006|54000', $broken ],
	[ 'B70', 'a row of 4 GB', { fetch => replace_first('D', 'D' . pack('N', 2**32 - 1), silence()) }, '08006', $broken ],
	[ 'B70', 'a message of length 2', { fetch => replace_first('D', 'D' . pack('N', 2), silence()) }, '08006', $broken ],
	[ 'B70', 'a message of type %', { fetch => replace_first('D', message('%', 'x'), silence()) }, '08P01', $violation ],
	[ 'B70', 'a message of type zero', { settings => insert_before('T', message("\0", 'x'), silence()) }, '08P01', $violation ],
	[ 'B70', 'bytes of a web server', { begin => sub { return ("HTTP/1.1 400 Bad Request\r\n\r\n", silence()) } }, '08006', $broken ],
	[ 'B71', 'a field of length -7', { fetch => replace_first('D', message('D', pack('n N a* l> a*', 2, 4, 'four', -7, 'sevenly'))) }, '08P01', $violation ],
	[ 'B71', 'a row too many of length -7', { fetch => insert_before('D', message('D', pack('n l> N a*', 2, -7, 1, 'x'))) }, '08P01', $violation ],
	[ 'B71', 'an error, then success', { fetch => insert_before('C', error(C => '22012')) }, '22012', qr/a failure/ ],
	[ 'B71', 'an error, then rows', { fetch => insert_before('D', error(C => '22012')) }, '22012', qr/a failure/ ],
	[ 'B71', 'an error, then the end of the cursor', { declare => insert_before('C', error(C => '42P03')) }, '42P03', qr/a failure/ ],
	[ 'B71', 'success, then an error', { declare => insert_after('C', error(C => '22012')) }, '22012|08P01', qr/a failure|$violation/ ],
	[ 'B71', 'a commit, then an error', { commit => insert_after('C', error(C => '22012')) }, '22012|08P01', qr/a failure|$violation/ ],
	[ 'B71', 'a commit that fails', { commit => replace_first('C', error(C => '40001')) }, '40001', qr/a failure/ ],
	[ 'B71', 'a commit that rolls back', { commit => replace_first('C', complete('ROLLBACK')) }, '08P01', $violation ],

	# B72: counts
	[ 'B72', '99 rows announced, 5 sent', { fetch => replace_first('C', complete('FETCH 99')) }, '08P01', $violation ],
	[ 'B72', '4 rows announced, 5 sent', { fetch => replace_first('C', complete('FETCH 4')) }, '08P01', $violation ],
	[ 'B72', 'a row was left out', { fetch => sub { splice @_, 3, 1; return @_ } }, '08P01', $violation ],
	[ 'B72', 'no count', { fetch => replace_first('C', complete('FETCH')) }, '08P01', $violation ],
	[ 'B72', 'a count that is no number', { fetch => replace_first('C', complete('FETCH many')) }, '08P01', $violation ],
	[ 'B72', 'a negative count', { fetch => replace_first('C', complete('FETCH -5')) }, '08P01', $violation ],
	[ 'B72', 'the count of another command', { fetch => replace_first('C', complete('MOVE 5')) }, '08P01', $violation ],
	[ 'B72', 'more rows than asked for', { fetch => sub { return map { /^C/ ? (@three_rows, complete('FETCH 8')) : $_ } @_ } },
		'08P01', $violation ],

	# B73: errors that lie
	[ 'B73', 'SQLSTATE 00000', { fetch => replace_first('C', error(C => '00000')) }, '08006', qr/a failure/ ],
	[ 'B73', 'SQLSTATE of a warning', { fetch => replace_first('C', error(C => '01000')) }, '08006', qr/a failure/ ],
	[ 'B73', 'SQLSTATE of no data', { fetch => replace_first('C', error(C => '02000')) }, '08006', qr/a failure/ ],
	[ 'B73', 'a short SQLSTATE', { fetch => replace_first('C', error(C => '4')) }, '08006', qr/a failure/ ],
	[ 'B73', 'a long SQLSTATE', { fetch => replace_first('C', error(C => '42P01x')) }, '08006', qr/a failure/ ],
	[ 'B73', 'a binary SQLSTATE', { fetch => replace_first('C', error(C => "\1\2\377\e\5")) }, '08006', qr/a failure/ ],
	[ 'B73', 'SQLSTATE in small letters', { fetch => replace_first('C', error(C => '42p01')) }, '08006', qr/a failure/ ],
	[ 'B73', 'an error without fields', { fetch => replace_first('C', message('E', "\0")) }, '08006|08P01', qr/reported an error without a message|\w/ ],
	[ 'B73', 'an error without an end', { fetch => replace_first('C', message('E', "SERROR\0C22012\0Ma fail")) }, '08006|08P01|22012', qr/\w/ ],
	[ 'B73', 'a cancel by somebody else', { fetch => replace_first('C', error(C => '57014')) }, '38000', qr/a failure/ ],
	[ 'B73', 'an admin shutdown', { fetch => replace_first('C', error(S => 'FATAL', C => '57P01'), hang_up()) }, '08006', qr/a failure/ ],
	[ 'B73', 'a condition of PL/pgSQL', { fetch => replace_first('C', error(C => 'P0004')) }, '38000', qr/a failure/ ],
	[ 'B73', 'a message of 50 MB', { fetch => sub { return replace_first('C', error(C => '22012', M => 'long ' x 10_000_000))->(@_) } }, '22012|08006', qr/long|$broken/ ],
	[ 'B73', 'a detail of 20 MB', { fetch => sub { return replace_first('C', error(C => '22012', D => 'long ' x 4_000_000))->(@_) } }, '22012|08006', qr/a failure|$broken/ ],
	[ 'B73', 'bytes that are not UTF-8 and a clearing of the screen', { fetch => replace_first('C', error(C => '22012', M => "x\377\376\e[2J\a")) },
		'22012', qr/x\?\?\?\[2J\?/ ],
	[ 'B73', 'an error in the answer to BEGIN', { begin => sub { return (error(C => '25006'), $_[-1]) } }, '25006', qr/a failure/ ],

	# B74: answers to another question
	(map { my $point = $_;
		(map { [ 'B74', "$_->[0] in answer to $point", { $point => $_->[1] }, $_->[3] // '08P01', $_->[2] // $violation ] }
			[ 'CopyOut without an end', sub { return (grep({ /^[12]/ } @_), message('H', pack 'Cn', 0, 0), copy_data("x\n"), silence()) } ],
			[ 'CopyIn', sub { return (grep({ /^[12]/ } @_), message('G', pack 'Cn', 0, 0), silence()) } ],
			[ 'CopyBoth', sub { return (grep({ /^[12]/ } @_), message('W', pack 'Cn', 0, 0), silence()) }, $broken, '08P01|08006' ],
			[ 'EmptyQuery', sub { return (grep({ /^[12]/ } @_), message('I'), $_[-1]) } ],
			[ 'three results', sub { my @body = @_[ 0 .. $#_ - 1 ]; return ((map { my @m = grep { !/^[12]/ } @body; @m } 1 .. 3), $_[-1]) }, $broken, '08P01|08006' ]
		) } qw(begin declare fetch commit)),
	[ 'B74', 'rows in answer to COMMIT', { commit => insert_before('C', description([ 'x', 25, 0 ]), row('x')) }, '08P01|08006', $broken ],
	[ 'B74', 'COMMAND_OK for rows', { fetch => sub { return map { /^[TD]/ ? /^T/ ? message('n') : () : $_ } @_ } }, '08P01|08006', $broken ],
	[ 'B74', 'other columns than described', { fetch => replace_first('T', description([ 'id', 23, 1 ], [ 'n', 23, 1 ])) }, '08P01', $violation ],
	[ 'B74', 'text instead of binary', { fetch => replace_first('T', description([ 'id', 23, 0 ], [ 'note', 25, 0 ])) }, '08P01', $violation ],
	[ 'B74', 'a parameter too many', { describe => replace_first('t', message('t', pack 'n N', 1, 25)) }, '08P01', $violation ],
	[ 'B74', 'a name that is not UTF-8', { describe => replace_first('T', description([ "\377", 23, 0 ])) }, '08P01', $violation ],

	# B75: settings that change
	(map { my $point = $_;
		([ 'B75', "client_encoding is LATIN1 from $point on", { $point => insert_before('Z', parameter('client_encoding', 'LATIN1')) }, '08P01', $violation ],
		 [ 'B75', "client_encoding is nonsense from $point on", { $point => insert_before('Z', parameter('client_encoding', "\377")) }, '08P01', $violation ],
		 [ 'B75', "standard_conforming_strings is off from $point on",
			{ $point => insert_before('Z', parameter('standard_conforming_strings', 'off')) }, '08P01', $violation ])
	  } 'settings', 'describe', 'declare', 'fetch', 'fetch 2'),
	[ 'B75', 'client_encoding changes in mid-rows', { fetch => insert_after('D', parameter('client_encoding', 'SJIS')) }, '08P01', $violation ],

	# B76: before the session begins
	[ 'B76', 'authentication code 99', { startup => sub { return (message('R', pack 'N', 99), silence()) } }, '08001', $failed ],
	[ 'B76', 'a startup error without fields', { startup => sub { return message('E', "\0"), hang_up() } }, '08001', $failed ],
	[ 'B76', 'a startup error of protocol 2', { startup => sub { return ("Ebad startup\n\0", hang_up()) } }, '08001', $failed ],
	[ 'B76', 'a startup error of 50 MB', { startup => sub { return (error(M => 'x' x 50_000_000), hang_up()) } }, '08001', $failed ],
	[ 'B76', 'a request for a clear-text password', { startup => sub { return (message('R', pack 'N', 3), hang_up()) } }, '08001', $failed ],
	[ 'B76', 'a request for an MD5 password', { startup => sub { return (message('R', pack 'N a4', 5, 'salt'), hang_up()) } }, '08001', $failed ],
	[ 'B76', 'an unknown SASL mechanism', { startup => sub { return (message('R', pack('N', 10) . "NONE\0\0"), silence()) } }, '08001', $failed ],
	[ 'B76', 'SASL that goes on without a start', { startup => sub { return (message('R', pack('N', 11) . 'x'), silence()) } }, '08001', $failed ],
	[ 'B76', 'SASL that is final at once', { startup => sub { return (message('R', pack('N', 12) . 'v=x'), silence()) } }, '08001', $failed ],
	[ 'B76', 'GSS that goes on without a start', { startup => sub { return (message('R', pack('N', 8) . 'x'), silence()) } }, '08001', $failed ],
	[ 'B76', 'an end at once', { startup => sub { return hang_up() } }, '08001', $failed ],
	[ 'B76', 'a reset at once', { startup => sub { return reset_connection() } }, '08001', $failed ],
	[ 'B76', 'an end after the authentication', { startup => sub { return ($_[0], hang_up()) } }, '08001', $failed ],
	[ 'B76', 'a web server', { startup => sub { return ("HTTP/1.1 400 Bad Request\r\n\r\n", hang_up()) } }, '08001', $failed ],
	[ 'B76', 'rows instead of a session', { startup => sub { return ($_[0], @three_rows, hang_up()) } }, '08001', $failed ],
	[ 'B76', 'no password was asked for', { as_caller => 1 }, '2F003', qr/source did not ask for a password/ ],

	# F13: the end in the middle
	(map { my $point = $_; ([ 'F13', "an end instead of the answer to $point", { $point => sub { return hang_up() } }, '08006', $lost ],
			[ 'F13', "a reset instead of the answer to $point", { $point => sub { return reset_connection() } }, '08006', $lost ])
	  } qw(begin settings describe declare fetch commit)),
	[ 'F13', 'an end in mid-row', { fetch => insert_after('D', substr($three_rows[0], 0, 9), hang_up()) }, '08006', $lost ],
	[ 'F13', 'an end after rows', { fetch => replace_first('C', hang_up()) }, '08006', $lost ],
	[ 'F13', 'an end after the second batch', { 'fetch 2' => replace_first('Z', hang_up()) }, '08006', $lost ],
	[ 'F13', 'an end before COMMIT is done', { commit => replace_first('C', hang_up()) }, '08006', $lost ],

	# More that a run must not believe
	[ 'B53', 'a text that is not UTF-8', { fetch => replace_first('D', row(pack('N', 1), "ok \377\376")) }, '22021', qr/invalid byte sequence/ ],
	[ 'B53', 'a text that ends in mid-character', { fetch => replace_first('D', row(pack('N', 1), "ok \xc3")) }, '22021', qr/invalid byte sequence/ ],
	[ 'B53', 'a text with a zero byte', { fetch => replace_first('D', row(pack('N', 1), "a\0b")) }, '22021', qr/invalid byte sequence/ ],
	[ 'B48', 'an integer of three bytes', { fetch => replace_first('D', row('abc', 'x')) }, '08P01|22P03', qr/insufficient data left in message/ ],
	[ 'B48', 'an integer of five bytes', { fetch => replace_first('D', row('abcde', 'x')) }, '22P03', qr/incorrect binary data format/ ]);

# Values that no receive function takes: type, bytes, the column of table typed, SQLSTATE and message; for method copy,
# too, where it has the source cast the value. A jsonb of another version is an internal error of the server's own function.
my @values = (
	[ 'B57', 'a jsonb of version 2', 3802, "\2{}", 'j', 'XX000', qr/unsupported jsonb version number 2/ ],
	[ 'B57', 'a jsonb that is cut', 3802, "\1{", 'j', '22P02', qr/invalid input syntax for type json/ ],
	[ 'B57', 'a numeric of an unknown sign', 1700, pack('n5', 1, 0, 0x1234, 0, 1), 'm', '22P03', qr/invalid sign in external "numeric" value/ ],
	[ 'B57', 'a numeric of a digit too large', 1700, pack('n5', 1, 0, 0, 0, 20_000), 'm', '22P03', qr/invalid digit in external "numeric" value/ ],
	[ 'B57', 'a numeric without its digits', 1700, pack('n4', 1000, 0, 0, 0), 'm', '22P03', qr/insufficient data left/, '08P01' ],
	[ 'B57', 'an inet of family 9', 869, pack('C4 N', 9, 32, 0, 4, 1), 'i', '22P03', qr/invalid address family/ ],
	[ 'B56', 'an array of 99 dimensions', 1007, pack('N3', 99, 0, 23), 'a', '54000', qr/number of array dimensions/ ],
	[ 'B56', 'an array of 2^31 by 2^31', 1007, pack('N7', 2, 0, 23, 2**31 - 1, 1, 2**31 - 1, 1), 'a', '54000', qr/array size exceeds/ ],
	[ 'B56', 'an array of another element type', 1007, pack('N6 a', 1, 0, 25, 1, 1, 1, 'x'), 'a', '42804', qr/element type/ ],
	[ 'B56', 'an array that is cut', 1007, pack('N5', 1, 0, 23, 3, 1), 'a', '22P03', qr/insufficient data left/, '08P01' ],
	[ 'B52', 'a timestamp out of range', 1184, pack('q>', 9_223_372_036_854_775_806), 'at', '22008', qr/timestamp out of range/ ],
	[ 'B52', 'a date out of range', 1082, pack('l>', 2**31 - 2), 'd', '22008', qr/date out of range/ ],
	[ 'B52', 'a uuid of three bytes', 2950, 'abc', 'u', '22P03', qr/insufficient data left/, '08P01' ],
	[ 'B57', 'a value of a type that no server has', 537, 'abc', 'n', '08P01', qr/source server sent an unexpected response/ ],
	[ 'B51', 'an int8 too large', 20, pack('q>', 2**40), 'n', '22003', qr/integer out of range/, '22P03', qr/incorrect binary data format/ ],
	[ 'B55', 'an int4 of 1 MB', 23, 'x' x 1_000_000, 'n', '22P03|54000', qr/incorrect binary data format|exceeds/ ]);
for my $value (@values)
{
	my ($number, $name, $type, $bytes, $column, @wanted) = @$value;
	push @cases, [ $number, $name, { columns => [ [ $column, $type ] ], values => [$bytes], target => 'typed' }, @wanted ];
}

# Where method copy gets the same messages, it does the same; its own are in rows_copy_stream.pl.
push @cases, map { [ $_->[0], "$_->[1], method copy", { %{ $_->[2] }, method => 'copy' }, $_->[5] // $_->[3], $_->[6] // $_->[4] ] }
  grep { !grep { /^(declare|fetch)/ } keys %{ $_->[2] } } @cases;

my %scenarios = map { ("$_->[0] $_->[1]" => $_->[2]) } @cases;
is(scalar keys %scenarios, scalar @cases, 'every case has a name of its own');
my $hostile = start_hostile_source(good => {}, %scenarios);

my $destination = PostgreSQL::Test::Cluster->new('destination');
$destination->init(extra => [ '--encoding', 'UTF8', '--no-locale' ]);
$destination->start;
$destination->safe_psql('postgres', <<~'SQL');
	CREATE EXTENSION pg_copy_incremental;
	CREATE TABLE rows (id int, note text);
	INSERT INTO rows VALUES (0, 'was here');
	CREATE TABLE typed (j jsonb, m numeric, i inet, a int[], at timestamptz, d date, u uuid, n int);
	CREATE ROLE caller;
	GRANT EXECUTE ON FUNCTION copy_incremental TO caller;
	GRANT INSERT ON rows TO caller;
	SQL

# The call of a scenario. What the wait of a run that hangs ends in is none of the errors that are looked for.
sub call
{
	my ($name, %argument) = @_;
	my $conninfo = $hostile->conninfo($name, "password=$TwoServers::password");
	return copy_sql('SELECT id, note FROM rows', undef, src_conninfo => "\$c\$$conninfo\$c\$", batch => 5, target => "'rows'", %argument);
}

my ($session, $pid) = open_session($destination);
$session->query_safe("SET statement_timeout = '60s'");

is($session->query_safe('BEGIN; ' . call('good') . '; SELECT count(*), sum(id) FROM rows; ROLLBACK'), "12\n13|78",
	'the hostile source plays a good one');
my ($files_before) = usage($pid);

my (%good, %all);
my $internal = 0;
for my $case (@cases)
{
	my ($number, $name, $scenario, $sqlstate, $message) = @$case;
	$session->query('SET ROLE caller') if $scenario->{as_caller};
	my $target = $scenario->{target} // 'rows';
	my $method = $scenario->{method} // 'cursor';
	my ($state, $said) = outcome_of($session, call("$number $name", target => "'$target'", method => "'$method'"));
	$session->query('RESET ROLE') if $scenario->{as_caller};
	my $content = $session->query_safe('SELECT count(*), sum(id), (SELECT count(*) FROM copy_incremental_runs), (SELECT count(*) FROM typed) FROM rows');
	my $left = $hostile->is_left_alone ? 0 : $hostile->connections;
	my ($files) = usage($pid);
	my $clear = $state =~ /^($sqlstate)$/ && $said =~ $message && ($said !~ /$broken|$failed/ || $said =~ /HINT:/);
	my $ok = ok($clear && $content eq '1|0|0|0' && $left == 0 && $files == $files_before, "$number $name: $sqlstate")
	  or diag("wanted $message, got $state; target: $content; connections: $left; descriptors $files_before, then $files: "
		  . substr($said, 0, 2000));
	note(join ' / ', "$number $name: $state", map { $said =~ $_ ? $1 : () } qr/ERROR:  \w+: (.{0,80})/, qr/DETAIL:  (.{0,100})/);
	$session->query_safe('TRUNCATE rows, typed, pgci_runs; INSERT INTO rows VALUES (0)') if $content ne '1|0|0|0';
	$all{$number}++;
	$good{$number}++ if $ok;
	$internal++ if $state =~ /^XX/ && $sqlstate !~ /^XX/;
}
is($internal, 0, 'no internal error');
is($session->query_safe("SELECT count(*) FROM pg_backend_memory_contexts WHERE name ~ 'copy_incremental'"), 0, 'no memory context of ours');
is($session->query_safe('BEGIN; ' . call('good') . '; SELECT count(*), sum(id) FROM rows; ROLLBACK'), "12\n13|78",
	'the same session copies all the same');
diag(sprintf 'wrong protocol: %d of %d cases right: %s', sum0(values %good), scalar @cases,
	join ', ', map { sprintf '%s %d of %d', $_, $good{$_} // 0, $all{$_} } sort keys %all);

# Paths of errors again and again; PG_TEST_EXTRA=leaks makes it a thousand times each.
my $times = ($ENV{PG_TEST_EXTRA} // '') =~ /\bleaks\b/ ? 1000 : 15;
my %again = map { $_ => 1 } 'B55 an int4 of 1 MB', 'B57 a jsonb of version 2', 'B53 a text that is not UTF-8', 'B69 a row of too few fields',
  'B69 no RowDescription', 'B70 a message of type %', 'B71 an error, then success', 'B72 99 rows announced, 5 sent',
  'B73 a detail of 20 MB', 'B74 CopyIn in answer to fetch', 'B74 EmptyQuery in answer to declare', 'B75 client_encoding is LATIN1 from fetch 2 on',
  'B76 authentication code 99', 'B57 a jsonb of version 2, method copy', 'B75 client_encoding is LATIN1 from describe on, method copy',
  'F13 a reset instead of the answer to commit, method copy', 'F13 an end after the second batch', 'F13 a reset instead of the answer to commit';
for my $case (grep { $again{"$_->[0] $_->[1]"} } @cases)
{
	my $name = "$case->[0] $case->[1]";
	my $target = $case->[2]{target} // 'rows';
	my $method = $case->[2]{method} // 'cursor';
	my $call = call($name, target => "'$target'", method => "'$method'");
	$hostile->leaves_nothing($session, $pid, $call, $case->[3], $name =~ /20 MB/ ? 5 : $times, $name);
}
$session->quit;
done_testing();
