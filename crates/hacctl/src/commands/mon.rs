//! `hacctl mon`: the cluster live on a full screen, with keys; without a terminal the same as plain text, once.

use std::collections::VecDeque;
use std::io::IsTerminal as _;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use hac_api::{Event, EventFilter, Level, MemberState};
use hac_pacemaker::mon;
use ratatui::Frame;
use ratatui::crossterm::event::{self, KeyCode, KeyModifiers};
use ratatui::layout::{Constraint, Layout};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Borders, Paragraph};

use super::Context;
use super::events;
use super::status::{self, Report};
use crate::args::MonArgs;
use crate::failure::Failure;
use crate::terminal;

/// Events that are kept for the screen.
const EVENTS: usize = 200;
/// Lines of events at the bottom.
const EVENT_LINES: u16 = 6;
/// Below this height there is no room for events.
const HEIGHT_FOR_EVENTS: u16 = 18;

/// What is on the screen.
#[derive(Default)]
struct Screen {
    options: mon::Options,
    report: Option<Report>,
    /// Why there is nothing new.
    trouble: Option<Failure>,
    events: VecDeque<Event>,
    events_shown: bool,
    links_shown: bool,
    help: bool,
    scroll: u16,
}

/// Runs until the user leaves.
pub(crate) async fn run(context: &Context, what: &MonArgs) -> Result<ExitCode, Failure> {
    if what.once || context.json || !std::io::stdout().is_terminal() || !std::io::stdin().is_terminal() {
        // A pipe or a file gets it once: there is nothing to draw over.
        let once = what.once || !context.json && !std::io::stdout().is_terminal();
        return status::mon(context, &MonArgs { once, ..what.clone() }).await;
    }
    let options = mon::Options { inactive: true, ..status::options(&what.sections) };
    let mut screen = Screen { options, events_shown: true, ..Screen::default() };
    // A terminal that cannot do it gets what every terminal can.
    let Ok(mut terminal) = ratatui::try_init() else { return status::mon(context, what).await };
    let done = live(context, &mut terminal, &mut screen, Duration::from_secs(what.interval)).await;
    ratatui::restore();
    done.map(|()| ExitCode::SUCCESS)
}

async fn live(
    context: &Context,
    terminal: &mut ratatui::DefaultTerminal,
    screen: &mut Screen,
    interval: Duration,
) -> Result<(), Failure> {
    loop {
        screen.fetch(context).await;
        let next = Instant::now() + interval;
        loop {
            let drawn = terminal.draw(|frame| screen.draw(frame));
            drawn.map_err(|error| Failure::system("could not draw", &error))?;
            let left = next.saturating_duration_since(Instant::now());
            let ready = event::poll(left).map_err(|error| Failure::system("could not read a key", &error))?;
            if !ready {
                break;
            }
            let read = event::read().map_err(|error| Failure::system("could not read a key", &error))?;
            let event::Event::Key(key) = read else { continue };
            let interrupted = key.modifiers.contains(KeyModifiers::CONTROL) && key.code == KeyCode::Char('c');
            if interrupted || matches!(key.code, KeyCode::Char('q') | KeyCode::Esc) {
                return Ok(());
            }
            if screen.key(key.code) {
                break;
            }
        }
    }
}

impl Screen {
    async fn fetch(&mut self, context: &Context) {
        match Report::get(context).await {
            Ok(report) => {
                self.report = Some(report);
                self.trouble = None;
            }
            Err(failure) => self.trouble = Some(failure),
        }
        let mut events = VecDeque::new();
        let filter = EventFilter { level: Some(Level::Info), ..EventFilter::default() };
        let read = events::each(context, false, |event| {
            if filter.takes(&event) {
                events.push_back(event);
            }
            if events.len() > EVENTS {
                events.pop_front();
            }
            Ok(())
        });
        // Without the daemon the old ones stay on the screen.
        if read.await.is_ok() {
            self.events = events;
        }
    }

    /// What a key does; whether to ask the daemon at once.
    fn key(&mut self, key: KeyCode) -> bool {
        let options = &mut self.options;
        match key {
            KeyCode::Char('n') => options.by_node = !options.by_node,
            KeyCode::Char('r') => options.inactive = !options.inactive,
            KeyCode::Char('o') => options.operations = !options.operations,
            KeyCode::Char('t') => options.timing = !options.timing,
            KeyCode::Char('f') => options.failcounts = !options.failcounts,
            KeyCode::Char('A') => options.attributes = !options.attributes,
            KeyCode::Char('b') => options.brief = !options.brief,
            KeyCode::Char('L') => {
                options.bans = if options.bans.is_some() { None } else { Some(String::new()) };
            }
            KeyCode::Char('l') => self.links_shown = !self.links_shown,
            KeyCode::Char('e') => self.events_shown = !self.events_shown,
            KeyCode::Char('?' | 'h') => self.help = !self.help,
            KeyCode::Down | KeyCode::Char('j') => self.scroll = self.scroll.saturating_add(1),
            KeyCode::Up | KeyCode::Char('k') => self.scroll = self.scroll.saturating_sub(1),
            KeyCode::PageDown => self.scroll = self.scroll.saturating_add(10),
            KeyCode::PageUp => self.scroll = self.scroll.saturating_sub(10),
            KeyCode::Home => self.scroll = 0,
            KeyCode::Char(' ') => return true,
            _ => {}
        }
        false
    }

    fn draw(&mut self, frame: &mut Frame<'_>) {
        let height = frame.area().height;
        let events = if self.events_shown && height >= HEIGHT_FOR_EVENTS { EVENT_LINES + 1 } else { 0 };
        let [head, body, bottom, keys] = Layout::vertical([
            Constraint::Length(2),
            Constraint::Min(3),
            Constraint::Length(events),
            Constraint::Length(1),
        ])
        .areas(frame.area());
        frame.render_widget(Paragraph::new(self.head()), head);
        let lines = if self.help { help() } else { wrapped(self.body(), usize::from(body.width)) };
        let room = usize::from(body.height);
        let most = u16::try_from(lines.len().saturating_sub(room)).unwrap_or(u16::MAX);
        self.scroll = self.scroll.min(most);
        frame.render_widget(Paragraph::new(lines).scroll((self.scroll, 0)), body);
        if events > 0 {
            let block = Block::default().borders(Borders::TOP).title(" Events ");
            let lines: Vec<Line<'_>> =
                self.events.iter().rev().take(usize::from(EVENT_LINES)).rev().map(event_line).collect();
            frame.render_widget(Paragraph::new(lines).block(block), bottom);
        }
        let more = if most > 0 {
            format!("  {}/{} lines", usize::from(self.scroll) + room, usize::from(most) + room)
        } else {
            String::new()
        };
        let text = format!("q quit  ? keys  n nodes  o ops  f fails  l links  e events{more}");
        frame
            .render_widget(Paragraph::new(Span::styled(text, Style::default().add_modifier(Modifier::REVERSED))), keys);
    }

    fn head(&self) -> Vec<Line<'_>> {
        let bad = Style::default().fg(Color::Red).add_modifier(Modifier::BOLD);
        if let Some(trouble) = &self.trouble {
            return vec![
                Line::styled(terminal::harmless(&trouble.message), bad),
                Line::from(terminal::harmless(trouble.remedy.as_deref().unwrap_or_default())),
            ];
        }
        let Some(report) = &self.report else { return vec![Line::from("waiting for hacd ...")] };
        let status = &report.status;
        let joined = status.members.nodes.iter().filter(|node| node.state == MemberState::Joined).count();
        let quorum = if status.quorum.quorate {
            Span::styled("with quorum", Style::default().fg(Color::Green))
        } else {
            Span::styled("WITHOUT quorum", bad)
        };
        let bold = Style::default().add_modifier(Modifier::BOLD);
        let dc = status.dc.as_deref().unwrap_or("NONE");
        vec![
            Line::from(vec![
                Span::styled(terminal::harmless(&status.cluster_name), bold),
                Span::raw(format!("  {joined}/{} nodes  ", status.members.nodes.len())),
                quorum,
                Span::raw(format!("  DC {}  seen from {}", terminal::harmless(dc), terminal::harmless(&status.node))),
            ]),
            Line::from(format!("{} UTC", events::clock(status.now_ms).get(..19).unwrap_or_default())),
        ]
    }

    fn body(&self) -> Vec<Line<'static>> {
        let Some(report) = &self.report else { return Vec::new() };
        let mut options = self.options.clone();
        options.without.extend(status::SUMMARY);
        let mut text = report.text(&options);
        if self.links_shown {
            text.push_str("\nLinks:\n");
            text.push_str(&super::members::links(&report.status));
        }
        text.lines().map(|line| Line::styled(line.replace('\t', " "), style(line))).collect()
    }
}

/// Lines that are too long go on in the next one, below their own text.
fn wrapped(lines: Vec<Line<'static>>, width: usize) -> Vec<Line<'static>> {
    let mut fitting = Vec::new();
    for line in lines {
        let text: String = line.spans.iter().map(|span| span.content.as_ref()).collect();
        let indent = text.chars().take_while(|c| matches!(c, ' ' | '*')).count();
        if text.chars().count() <= width || width <= indent + 8 {
            fitting.push(line);
            continue;
        }
        let mut row = String::new();
        for word in text.split_inclusive(' ') {
            if row.chars().count() + word.trim_end().chars().count() > width && row.trim().len() > indent {
                fitting.push(Line::styled(std::mem::take(&mut row), line.style));
                row = " ".repeat(indent);
            }
            row.push_str(word);
        }
        fitting.push(Line::styled(row, line.style));
    }
    fitting
}

/// Colour for what is not as it should be, and for headings.
fn style(line: &str) -> Style {
    let red =
        ["FAILED", "OFFLINE", "UNCLEAN", "ERROR", "blocked", "disconnected", "could not be executed", "returned '"];
    let yellow = ["Stopped", "standby", "maintenance", "WARNING", "unmanaged", "DISABLED", "Stopping", "Starting"];
    if red.iter().any(|word| line.contains(word)) {
        Style::default().fg(Color::Red)
    } else if yellow.iter().any(|word| line.contains(word)) {
        Style::default().fg(Color::Yellow)
    } else if !line.starts_with(' ') && line.ends_with(':') {
        Style::default().add_modifier(Modifier::BOLD)
    } else {
        Style::default()
    }
}

fn event_line(event: &Event) -> Line<'static> {
    let colour = match event.level {
        Level::Error => Some(Color::Red),
        Level::Warning => Some(Color::Yellow),
        Level::Debug | Level::Info | Level::Notice => None,
    };
    let time = events::clock(event.time_ms);
    let text = format!("{} {}", time.get(11..19).unwrap_or(&time), terminal::harmless(&event.text));
    colour.map_or_else(|| Line::from(text.clone()), |colour| Line::styled(text.clone(), Style::default().fg(colour)))
}

fn help() -> Vec<Line<'static>> {
    [
        "n  resources by node, or by kind",
        "r  resources that are not active, too",
        "b  one line per agent",
        "o  operations             t  with times",
        "f  fail counts            A  attributes of nodes",
        "L  bans                   l  links and round trips",
        "e  events at the bottom   space  ask at once",
        "j, k, arrows, page up and down  scroll",
        "q, Esc, Ctrl-C  leave",
    ]
    .into_iter()
    .map(Line::from)
    .collect()
}

#[cfg(test)]
mod tests {
    use hac_api::{Members, MembersEntry, Quorum, Status};
    use hac_scheduler::view::{ClusterView, NodeView, ResourceKind, ResourceView};
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use super::*;

    fn screen(resources: usize) -> Screen {
        let node = |name: &str, state| MembersEntry { name: name.into(), state, ..MembersEntry::default() };
        let status = Status {
            cluster_name: "lbcluster".into(),
            node: "primary".into(),
            dc: Some("primary".into()),
            quorum: Quorum { quorate: true, ..Quorum::default() },
            members: Members {
                ring: String::new(),
                nodes: vec![node("primary", MemberState::Joined), node("secondary", MemberState::Lost)],
            },
            ..Status::default()
        };
        let resource = |n: usize| ResourceView {
            id: format!("r{n}"),
            name: format!("r{n}"),
            kind: ResourceKind::default(),
            ..ResourceView::default()
        };
        let view = ClusterView {
            nodes: vec![NodeView { name: "primary".into(), online: true, ..NodeView::default() }],
            resources: (0..resources).map(resource).collect(),
            ..ClusterView::default()
        };
        let event = Event {
            seq: 1,
            time_ms: 0,
            mono_ns: 0,
            level: Level::Warning,
            kind: "view".into(),
            text: "secondary fell silent".into(),
            ..Event::default()
        };
        Screen {
            options: mon::Options { inactive: true, ..mon::Options::default() },
            report: Some(Report::of(status, view)),
            events: [event].into(),
            events_shown: true,
            ..Screen::default()
        }
    }

    fn drawn(screen: &mut Screen, width: u16, height: u16) -> Vec<String> {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("draws into memory");
        terminal.draw(|frame| screen.draw(frame)).expect("draws into memory");
        let buffer = terminal.backend().buffer().clone();
        (0..height)
            .map(|y| (0..width).filter_map(|x| buffer.cell((x, y)).map(|cell| cell.symbol().to_owned())).collect())
            .collect()
    }

    #[test]
    fn head_and_keys_stay_on_a_small_screen_and_the_rest_scrolls() {
        let mut screen = screen(40);
        let lines = drawn(&mut screen, 80, 24);
        assert!(lines[0].starts_with("lbcluster  1/2 nodes  with quorum  DC primary"), "{}", lines[0]);
        assert!(lines[23].contains("q quit") && lines[23].contains("lines"), "{}", lines[23]);
        assert!(lines.iter().any(|line| line.contains("secondary fell silent")));
        assert!(lines.iter().any(|line| line.contains("r3")) && !lines.iter().any(|line| line.contains("r39")));
        for _ in 0..20 {
            screen.key(KeyCode::PageDown);
        }
        let lines = drawn(&mut screen, 80, 24);
        assert!(lines[0].starts_with("lbcluster") && lines.iter().any(|line| line.contains("r39")));
    }

    #[test]
    fn keys_switch_what_is_shown() {
        let mut screen = screen(1);
        screen.key(KeyCode::Char('e'));
        assert!(!drawn(&mut screen, 120, 40).iter().any(|line| line.contains("fell silent")));
        screen.key(KeyCode::Char('?'));
        assert!(drawn(&mut screen, 120, 40).iter().any(|line| line.contains("resources by node")));
        assert!(screen.key(KeyCode::Char(' ')), "asks at once");
        // Even a tiny one is drawn.
        drawn(&mut screen, 20, 5);
    }

    #[test]
    fn long_lines_go_on_below_their_text() {
        let lines = wrapped(vec![Line::from("  * web start on primary returned 'error' (no disk)")], 30);
        let texts: Vec<String> = lines.iter().map(ToString::to_string).collect();
        assert_eq!(texts, ["  * web start on primary ", "    returned 'error' (no disk)"]);
        assert_eq!(wrapped(vec![Line::from("x".repeat(50))], 30).len(), 1, "a word is not cut");
    }

    #[test]
    fn without_a_daemon_the_head_says_so() {
        let mut screen = screen(1);
        screen.trouble = Some(Failure::disconnected("hacd is not running here").with_remedy("Start it."));
        assert!(drawn(&mut screen, 80, 24)[0].starts_with("hacd is not running here"));
    }
}
