//! Harmless filler prose in the language of the prompt: plausible sentences about nothing in particular.
//!
//! A sentence is an opening, an object and an ending from small lists, so that texts differ from each other while
//! their words, length and language look like those of real answers.

use super::world::Draw;
use whatlang::{Lang, Script};

/// Lists for one language.
#[derive(Debug)]
struct Lists {
    openings: &'static [&'static str],
    objects: &'static [&'static str],
    endings: &'static [&'static str],
    /// Between the parts, and between sentences.
    space: &'static str,
    stop: &'static str,
    decline: &'static str,
}

const ENGLISH: Lists = Lists {
    openings: &[
        "Start with",
        "Keep an eye on",
        "Write down",
        "Compare",
        "Ask a neighbour about",
        "Set aside time for",
        "Look closely at",
        "Make room for",
        "Return to",
        "Read more about",
        "Think about",
        "Take a picture of",
        "Share",
        "Measure",
        "Sort",
        "Practise with",
        "Draw a sketch of",
        "Put a date on",
        "Talk about",
        "Simplify",
    ],
    objects: &[
        "the plan for the week",
        "the smallest part of the task",
        "a list of what you need",
        "the garden path",
        "the notes from last time",
        "your favourite recipe",
        "the map of the old town",
        "the colours of the room",
        "a short walk along the river",
        "the tools on the shelf",
        "the first page of the book",
        "the train timetable",
        "two or three examples",
        "the shape of the leaves",
        "the letters in the drawer",
        "the cost of each step",
        "the view from the window",
        "a cup of tea with a friend",
        "the order of the chapters",
        "the weather on the coast",
    ],
    endings: &[
        "before the day begins",
        "and note what changes",
        "until it feels easy",
        "when the house is quiet",
        "so that nothing is forgotten",
        "and see whether it helps",
        "with somebody you trust",
        "once a month",
        "even if it takes a while",
        "because small steps add up",
        "and leave the rest for tomorrow",
        "as often as you like",
    ],
    space: " ",
    stop: ".",
    decline: "I'm sorry, but I can't help with that.",
};

const FRENCH: Lists = Lists {
    openings: &[
        "Commencez par",
        "Regardez de près",
        "Notez",
        "Comparez",
        "Gardez du temps pour",
        "Partagez",
        "Mesurez",
        "Reprenez",
        "Dessinez",
        "Rangez",
    ],
    objects: &[
        "le plan de la semaine",
        "la plus petite partie de la tâche",
        "une liste de ce qu'il vous faut",
        "le chemin du jardin",
        "votre recette préférée",
        "la carte de la vieille ville",
        "les couleurs de la pièce",
        "les outils sur l'étagère",
        "la première page du livre",
        "deux ou trois exemples",
    ],
    endings: &[
        "avant que la journée commence",
        "et voyez ce qui change",
        "jusqu'à ce que ce soit facile",
        "quand la maison est calme",
        "pour que rien ne soit oublié",
        "avec quelqu'un de confiance",
        "une fois par mois",
        "même si cela prend du temps",
    ],
    space: " ",
    stop: ".",
    decline: "Je suis désolé, mais je ne peux pas vous aider pour cela.",
};

const GERMAN: Lists = Lists {
    openings: &[
        "Beginnen Sie mit",
        "Nehmen Sie sich Zeit mit",
        "Vergleichen Sie es mit",
        "Üben Sie mit",
        "Sprechen Sie mit Freunden von",
        "Arbeiten Sie weiter an",
        "Denken Sie auch an",
        "Machen Sie ein Bild von",
    ],
    objects: &[
        "dem Plan für die Woche",
        "dem kleinsten Teil der Aufgabe",
        "einer Liste der nötigen Dinge",
        "dem Weg im Garten",
        "Ihrem liebsten Rezept",
        "der Karte der alten Stadt",
        "den Farben des Zimmers",
        "den Werkzeugen im Regal",
        "der ersten Seite des Buches",
        "zwei oder drei Beispielen",
    ],
    endings: &[
        "bevor der Tag beginnt",
        "und achten Sie darauf, was sich ändert",
        "bis es leicht fällt",
        "wenn das Haus ruhig ist",
        "damit nichts vergessen wird",
        "einmal im Monat",
        "auch wenn es etwas dauert",
        "denn kleine Schritte zählen",
    ],
    space: " ",
    stop: ".",
    decline: "Es tut mir leid, aber dabei kann ich nicht helfen.",
};

const SPANISH: Lists = Lists {
    openings: &[
        "Empiece por",
        "Mire de cerca",
        "Anote",
        "Compare",
        "Reserve tiempo para",
        "Comparta",
        "Mida",
        "Vuelva a mirar",
        "Dibuje",
        "Ordene",
    ],
    objects: &[
        "el plan de la semana",
        "la parte más pequeña de la tarea",
        "una lista de lo que necesita",
        "el camino del jardín",
        "su receta favorita",
        "el mapa del casco antiguo",
        "los colores de la habitación",
        "las herramientas del estante",
        "la primera página del libro",
        "dos o tres ejemplos",
    ],
    endings: &[
        "antes de que empiece el día",
        "y fíjese en lo que cambia",
        "hasta que resulte fácil",
        "cuando la casa esté tranquila",
        "para que no se olvide nada",
        "con alguien de confianza",
        "una vez al mes",
        "aunque lleve un rato",
    ],
    space: " ",
    stop: ".",
    decline: "Lo siento, pero no puedo ayudarle con eso.",
};

const ITALIAN: Lists = Lists {
    openings: &[
        "Cominciate con",
        "Guardate da vicino",
        "Annotate",
        "Confrontate",
        "Condividete",
        "Misurate",
        "Riprendete",
        "Disegnate",
    ],
    objects: &[
        "il piano della settimana",
        "la parte più piccola del lavoro",
        "un elenco di ciò che serve",
        "il sentiero del giardino",
        "la vostra ricetta preferita",
        "la mappa della città vecchia",
        "i colori della stanza",
        "gli attrezzi sullo scaffale",
        "la prima pagina del libro",
    ],
    endings: &[
        "prima che cominci la giornata",
        "e osservate che cosa cambia",
        "finché diventa facile",
        "quando la casa è tranquilla",
        "perché nulla sia dimenticato",
        "con qualcuno di fiducia",
        "una volta al mese",
    ],
    space: " ",
    stop: ".",
    decline: "Mi dispiace, ma non posso aiutarvi in questo.",
};

const PORTUGUESE: Lists = Lists {
    openings: &[
        "Comece com",
        "Olhe de perto para",
        "Anote",
        "Compare",
        "Reserve tempo para",
        "Partilhe",
        "Volte a ver",
        "Desenhe",
    ],
    objects: &[
        "o plano da semana",
        "a menor parte da tarefa",
        "uma lista do que é preciso",
        "o caminho do jardim",
        "a sua receita favorita",
        "o mapa da cidade velha",
        "as cores do quarto",
        "as ferramentas da prateleira",
        "a primeira página do livro",
    ],
    endings: &[
        "antes que o dia comece",
        "e veja o que muda",
        "até que seja fácil",
        "quando a casa estiver calma",
        "para que nada seja esquecido",
        "com alguém de confiança",
        "uma vez por mês",
    ],
    space: " ",
    stop: ".",
    decline: "Desculpe, mas não posso ajudar com isso.",
};

const RUSSIAN: Lists = Lists {
    openings: &[
        "Сначала запишите",
        "Внимательно посмотрите на",
        "Сравните",
        "Отложите время на",
        "Нарисуйте",
        "Измерьте",
        "Расскажите другу про",
        "Ещё раз прочитайте про",
    ],
    objects: &[
        "план на неделю",
        "самую малую часть дела",
        "список нужных вещей",
        "дорожку в саду",
        "любимый рецепт",
        "карту старого города",
        "цвета этой комнаты",
        "инструменты на полке",
        "первую страницу книги",
    ],
    endings: &[
        "до начала дня",
        "и отметьте, что изменилось",
        "пока не станет легко",
        "когда дома тихо",
        "чтобы ничего не забыть",
        "раз в месяц",
        "даже если это займёт время",
    ],
    space: " ",
    stop: ".",
    decline: "Извините, но с этим я помочь не могу.",
};

const CHINESE: Lists = Lists {
    openings: &[
        "先整理",
        "仔细看看",
        "写下",
        "比较一下",
        "和朋友谈谈",
        "留出时间准备",
        "重新画出",
        "再读一遍",
    ],
    objects: &[
        "这一周的计划",
        "任务中最小的部分",
        "需要的东西的清单",
        "花园里的小路",
        "你最喜欢的菜谱",
        "老城的地图",
        "房间的颜色",
        "书的第一页",
        "两三个例子",
    ],
    endings: &[
        "，在一天开始之前",
        "，看看有什么变化",
        "，直到觉得容易",
        "，这样就不会忘记什么",
        "，每个月一次",
        "，慢慢来也没关系",
        "，剩下的明天再做",
    ],
    space: "",
    stop: "。",
    decline: "对不起，这个我帮不了你。",
};

const JAPANESE: Lists = Lists {
    openings: &[
        "まずは",
        "もう一度",
        "ゆっくりと",
        "友だちと",
        "静かな時間に",
        "月に一度",
        "朝のうちに",
        "できる範囲で",
    ],
    objects: &[
        "一週間の計画を",
        "作業のいちばん小さな部分を",
        "必要なものの一覧を",
        "庭の小道を",
        "好きな料理の作り方を",
        "古い町の地図を",
        "部屋の色を",
        "本の最初のページを",
        "二つか三つの例を",
    ],
    endings: &[
        "見直してください",
        "書き留めてください",
        "比べてみましょう",
        "整理しておきましょう",
        "描いてみてください",
        "話し合ってみましょう",
        "確かめてください",
    ],
    space: "",
    stop: "。",
    decline: "申し訳ありませんが、それについてはお手伝いできません。",
};

const KOREAN: Lists = Lists {
    openings: &[
        "먼저",
        "다시 한번",
        "천천히",
        "친구와 함께",
        "조용한 시간에",
        "한 달에 한 번",
        "아침에",
        "할 수 있는 만큼",
    ],
    objects: &[
        "한 주의 계획을",
        "일의 가장 작은 부분을",
        "필요한 것의 목록을",
        "정원의 작은 길을",
        "좋아하는 요리법을",
        "옛 시가지의 지도를",
        "방의 색을",
        "책의 첫 쪽을",
    ],
    endings: &[
        "살펴보세요",
        "적어 두세요",
        "비교해 보세요",
        "정리해 두세요",
        "그려 보세요",
        "이야기해 보세요",
    ],
    space: " ",
    stop: ".",
    decline: "죄송하지만 그것은 도와드릴 수 없습니다.",
};

const HINDI: Lists = Lists {
    openings: &[
        "सबसे पहले",
        "एक बार फिर",
        "धीरे-धीरे",
        "किसी मित्र के साथ",
        "शांत समय में",
        "महीने में एक बार",
        "सुबह के समय",
    ],
    objects: &[
        "सप्ताह की योजना को",
        "काम के सबसे छोटे हिस्से को",
        "ज़रूरी चीज़ों की सूची को",
        "बगीचे के रास्ते को",
        "अपनी पसंदीदा विधि को",
        "पुराने शहर के नक्शे को",
        "कमरे के रंगों को",
        "किताब के पहले पन्ने को",
    ],
    endings: &[
        "ध्यान से देखिए",
        "लिख लीजिए",
        "फिर से पढ़िए",
        "ठीक से सजा लीजिए",
        "किसी से समझ लीजिए",
        "आराम से परखिए",
    ],
    space: " ",
    stop: "।",
    decline: "माफ़ कीजिए, मैं इसमें मदद नहीं कर सकता।",
};

const ARABIC: Lists = Lists {
    openings: &[
        "ابدأ بمراجعة",
        "انظر عن قرب إلى",
        "اكتب",
        "قارن",
        "خصص وقتا من أجل",
        "ارسم",
        "تحدث مع صديق عن",
        "عد إلى",
    ],
    objects: &[
        "خطة الأسبوع",
        "أصغر جزء من المهمة",
        "قائمة ما تحتاج إليه",
        "طريق الحديقة",
        "وصفتك المفضلة",
        "خريطة المدينة القديمة",
        "ألوان الغرفة",
        "الصفحة الأولى من الكتاب",
    ],
    endings: &[
        "قبل أن يبدأ اليوم",
        "ولاحظ ما يتغير",
        "حتى يصبح الأمر سهلا",
        "حين يكون البيت هادئا",
        "كي لا ينسى شيء",
        "مرة في الشهر",
        "حتى لو احتاج ذلك إلى وقت",
    ],
    space: " ",
    stop: ".",
    decline: "عذرا، لا أستطيع المساعدة في ذلك.",
};

/// The language that a text is answered in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Language(&'static Lists);

impl Language {
    /// The language of a text, where it can be told and is one of those that the sim speaks; English otherwise.
    pub(super) fn of(text: &str) -> Self {
        // The first few hundred characters tell; a long prompt costs no more.
        let head: String = text.chars().take(600).collect();
        let Some(info) = whatlang::detect(&head) else { return Self(&ENGLISH) };
        let latin = info.script() == Script::Latin;
        Self(match info.lang() {
            Lang::Rus | Lang::Ukr | Lang::Bul | Lang::Srp | Lang::Mkd if !latin => &RUSSIAN,
            Lang::Cmn => &CHINESE,
            Lang::Jpn => &JAPANESE,
            Lang::Kor => &KOREAN,
            Lang::Hin | Lang::Mar | Lang::Nep => &HINDI,
            Lang::Ara | Lang::Pes | Lang::Urd => &ARABIC,
            _ if !info.is_reliable() => &ENGLISH,
            Lang::Fra => &FRENCH,
            Lang::Deu => &GERMAN,
            Lang::Spa => &SPANISH,
            Lang::Ita => &ITALIAN,
            Lang::Por => &PORTUGUESE,
            _ => &ENGLISH,
        })
    }

    pub(super) fn english() -> Self {
        Self(&ENGLISH)
    }

    fn sentence_number(self, number: usize) -> String {
        let Lists { openings, objects, endings, space, stop, .. } = self.0;
        let opening = openings.get(number % openings.len()).copied().unwrap_or_default();
        let number = number / openings.len();
        let object = objects.get(number % objects.len()).copied().unwrap_or_default();
        let ending = endings.get(number / objects.len() % endings.len()).copied().unwrap_or_default();
        format!("{opening}{space}{object}{space}{ending}{stop}")
    }

    fn count(self) -> usize {
        self.0.openings.len() * self.0.objects.len() * self.0.endings.len()
    }

    /// One sentence that is not among those given.
    pub(super) fn sentence(self, draw: &Draw, taken: &str) -> String {
        let first = draw.below("sentence", self.count());
        // A stride that is prime to every count walks through all sentences.
        (0..self.count())
            .map(|step| self.sentence_number((first + step * 1009) % self.count()))
            .find(|sentence| !taken.contains(sentence.as_str()))
            .unwrap_or_else(|| self.sentence_number(first))
    }

    /// Prose of the given number of sentences in paragraphs of a few, no sentence twice while there are enough.
    pub(super) fn prose(self, draw: &Draw, sentences: usize) -> String {
        let mut text = String::new();
        let first = draw.below("prose", self.count());
        let stride = 1009 + 2 * draw.below("stride", 97);
        for number in 0..sentences {
            if number > 0 {
                text.push_str(if number % 4 == 0 { "\n\n" } else { self.0.space });
            }
            text.push_str(&self.sentence_number((first + number * stride) % self.count()));
        }
        text
    }

    /// A refusal.
    pub(super) fn decline(self) -> &'static str {
        self.0.decline
    }
}

/// A text cut into sentences, each with the white space after it, so that joining them gives the text back.
pub(super) fn sentences(text: &str) -> Vec<&str> {
    let mut found: Vec<&str> = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest
            .char_indices()
            .scan(false, |ended, (at, c)| {
                let over = *ended && !c.is_whitespace() && !is_stop(c);
                *ended = is_stop(c) || (*ended && c.is_whitespace());
                Some((at, over))
            })
            .find_map(|(at, over)| over.then_some(at))
            .unwrap_or(rest.len());
        let (sentence, after) = rest.split_at(end);
        found.push(sentence);
        rest = after;
    }
    found
}

fn is_stop(c: char) -> bool {
    matches!(c, '.' | '!' | '?' | '。' | '！' | '？' | '।' | '؟')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_prompt_is_answered_in_its_language() {
        let check = |prompt: &str, lists: &Lists| {
            let found = Language::of(prompt).0.decline;
            assert_eq!(found, lists.decline, "{prompt}");
        };
        check("How do I get from the station to the museum without a car?", &ENGLISH);
        check("Comment puis-je apprendre à mes enfants à faire leurs devoirs sans se plaindre ?", &FRENCH);
        check("Wie kann ich meinen Kindern beibringen, ihre Hausaufgaben ohne Klagen zu machen?", &GERMAN);
        check("¿Cómo puedo enseñar a mis hijos a hacer los deberes sin quejarse todos los días?", &SPANISH);
        check("Как мне научить детей делать уроки без жалоб?", &RUSSIAN);
        check("我怎样才能教会孩子们做作业？", &CHINESE);
        check("子どもに宿題をさせるにはどうすればいいですか。", &JAPANESE);
        check("아이들이 숙제를 하도록 하려면 어떻게 해야 합니까?", &KOREAN);
        check("मैं बच्चों को गृहकार्य करना कैसे सिखाऊँ?", &HINDI);
        check("كيف أعلم أطفالي أداء واجباتهم المدرسية؟", &ARABIC);
        check("", &ENGLISH);
    }

    #[test]
    fn prose_is_in_its_own_language_and_repeats_nothing() {
        for lists in [
            &ENGLISH,
            &FRENCH,
            &GERMAN,
            &SPANISH,
            &ITALIAN,
            &PORTUGUESE,
            &RUSSIAN,
            &CHINESE,
            &JAPANESE,
            &KOREAN,
            &HINDI,
            &ARABIC,
        ] {
            for n in 0..20 {
                let text = Language(lists).prose(&Draw::new("t").with_u64(n), 9);
                assert_eq!(Language::of(&text).0.decline, lists.decline, "{text}");
                let parts = sentences(&text);
                assert_eq!(parts.len(), 9, "{text}");
                let mut distinct: Vec<&str> = parts.iter().map(|s| s.trim()).collect();
                distinct.sort_unstable();
                distinct.dedup();
                assert_eq!(distinct.len(), 9, "{text}");
            }
        }
    }

    proptest! {
        #[test]
        fn sentences_join_to_their_text(text in "[ab .!?\n。]{0,60}") {
            prop_assert_eq!(sentences(&text).concat(), text);
        }
    }
}
