//! The word lists of the simulated model's filler prose: nothing but harmless commonplaces, in twelve languages.

/// Lists for one language.
#[derive(Debug)]
pub(super) struct Lists {
    pub(super) openings: &'static [&'static str],
    pub(super) objects: &'static [&'static str],
    pub(super) endings: &'static [&'static str],
    /// Between the parts, and between sentences.
    pub(super) space: &'static str,
    pub(super) stop: &'static str,
    /// A refusal.
    pub(super) decline: &'static str,
}

#[rustfmt::skip]
pub(super) const ENGLISH: Lists = Lists {
    openings: &[
        "Start with", "Keep an eye on", "Write down", "Compare", "Ask a neighbour about",
        "Set aside time for", "Look closely at", "Make room for", "Return to", "Read more about",
        "Think about", "Take a picture of", "Share", "Measure", "Sort", "Practise with",
        "Draw a sketch of", "Put a date on", "Talk about", "Simplify",
    ],
    objects: &[
        "the plan for the week", "the smallest part of the task", "a list of what you need",
        "the garden path", "the notes from last time", "your favourite recipe", "the map of the old town",
        "the colours of the room", "a short walk along the river", "the tools on the shelf",
        "the first page of the book", "the train timetable", "two or three examples",
        "the shape of the leaves", "the letters in the drawer", "the cost of each step",
        "the view from the window", "a cup of tea with a friend", "the order of the chapters",
        "the weather on the coast",
    ],
    endings: &[
        "before the day begins", "and note what changes", "until it feels easy", "when the house is quiet",
        "so that nothing is forgotten", "and see whether it helps", "with somebody you trust",
        "once a month", "even if it takes a while", "because small steps add up",
        "and leave the rest for tomorrow", "as often as you like",
    ],
    space: " ",
    stop: ".",
    decline: "I'm sorry, but I can't help with that.",
};

#[rustfmt::skip]
pub(super) const FRENCH: Lists = Lists {
    openings: &[
        "Commencez par", "Regardez de près", "Notez", "Comparez", "Gardez du temps pour", "Partagez",
        "Mesurez", "Reprenez", "Dessinez", "Rangez",
    ],
    objects: &[
        "le plan de la semaine", "la plus petite partie de la tâche", "une liste de ce qu'il vous faut",
        "le chemin du jardin", "votre recette préférée", "la carte de la vieille ville",
        "les couleurs de la pièce", "les outils sur l'étagère", "la première page du livre",
        "deux ou trois exemples",
    ],
    endings: &[
        "avant que la journée commence", "et voyez ce qui change", "jusqu'à ce que ce soit facile",
        "quand la maison est calme", "pour que rien ne soit oublié", "avec quelqu'un de confiance",
        "une fois par mois", "même si cela prend du temps",
    ],
    space: " ",
    stop: ".",
    decline: "Je suis désolé, mais je ne peux pas vous aider pour cela.",
};

#[rustfmt::skip]
pub(super) const GERMAN: Lists = Lists {
    openings: &[
        "Beginnen Sie mit", "Nehmen Sie sich Zeit mit", "Vergleichen Sie es mit", "Üben Sie mit",
        "Sprechen Sie mit Freunden von", "Arbeiten Sie weiter an", "Denken Sie auch an",
        "Machen Sie ein Bild von",
    ],
    objects: &[
        "dem Plan für die Woche", "dem kleinsten Teil der Aufgabe", "einer Liste der nötigen Dinge",
        "dem Weg im Garten", "Ihrem liebsten Rezept", "der Karte der alten Stadt",
        "den Farben des Zimmers", "den Werkzeugen im Regal", "der ersten Seite des Buches",
        "zwei oder drei Beispielen",
    ],
    endings: &[
        "bevor der Tag beginnt", "und achten Sie darauf, was sich ändert", "bis es leicht fällt",
        "wenn das Haus ruhig ist", "damit nichts vergessen wird", "einmal im Monat",
        "auch wenn es etwas dauert", "denn kleine Schritte zählen",
    ],
    space: " ",
    stop: ".",
    decline: "Es tut mir leid, aber dabei kann ich nicht helfen.",
};

#[rustfmt::skip]
pub(super) const SPANISH: Lists = Lists {
    openings: &[
        "Empiece por", "Mire de cerca", "Anote", "Compare", "Reserve tiempo para", "Comparta", "Mida",
        "Vuelva a mirar", "Dibuje", "Ordene",
    ],
    objects: &[
        "el plan de la semana", "la parte más pequeña de la tarea", "una lista de lo que necesita",
        "el camino del jardín", "su receta favorita", "el mapa del casco antiguo",
        "los colores de la habitación", "las herramientas del estante", "la primera página del libro",
        "dos o tres ejemplos",
    ],
    endings: &[
        "antes de que empiece el día", "y fíjese en lo que cambia", "hasta que resulte fácil",
        "cuando la casa esté tranquila", "para que no se olvide nada", "con alguien de confianza",
        "una vez al mes", "aunque lleve un rato",
    ],
    space: " ",
    stop: ".",
    decline: "Lo siento, pero no puedo ayudarle con eso.",
};

#[rustfmt::skip]
pub(super) const ITALIAN: Lists = Lists {
    openings: &[
        "Cominciate con", "Guardate da vicino", "Annotate", "Confrontate", "Condividete", "Misurate",
        "Riprendete", "Disegnate",
    ],
    objects: &[
        "il piano della settimana", "la parte più piccola del lavoro", "un elenco di ciò che serve",
        "il sentiero del giardino", "la vostra ricetta preferita", "la mappa della città vecchia",
        "i colori della stanza", "gli attrezzi sullo scaffale", "la prima pagina del libro",
    ],
    endings: &[
        "prima che cominci la giornata", "e osservate che cosa cambia", "finché diventa facile",
        "quando la casa è tranquilla", "perché nulla sia dimenticato", "con qualcuno di fiducia",
        "una volta al mese",
    ],
    space: " ",
    stop: ".",
    decline: "Mi dispiace, ma non posso aiutarvi in questo.",
};

#[rustfmt::skip]
pub(super) const PORTUGUESE: Lists = Lists {
    openings: &[
        "Comece com", "Olhe de perto para", "Anote", "Compare", "Reserve tempo para", "Partilhe",
        "Volte a ver", "Desenhe",
    ],
    objects: &[
        "o plano da semana", "a menor parte da tarefa", "uma lista do que é preciso",
        "o caminho do jardim", "a sua receita favorita", "o mapa da cidade velha", "as cores do quarto",
        "as ferramentas da prateleira", "a primeira página do livro",
    ],
    endings: &[
        "antes que o dia comece", "e veja o que muda", "até que seja fácil", "quando a casa estiver calma",
        "para que nada seja esquecido", "com alguém de confiança", "uma vez por mês",
    ],
    space: " ",
    stop: ".",
    decline: "Desculpe, mas não posso ajudar com isso.",
};

#[rustfmt::skip]
pub(super) const RUSSIAN: Lists = Lists {
    openings: &[
        "Сначала запишите", "Внимательно посмотрите на", "Сравните", "Отложите время на", "Нарисуйте",
        "Измерьте", "Расскажите другу про", "Ещё раз прочитайте про",
    ],
    objects: &[
        "план на неделю", "самую малую часть дела", "список нужных вещей", "дорожку в саду",
        "любимый рецепт", "карту старого города", "цвета этой комнаты", "инструменты на полке",
        "первую страницу книги",
    ],
    endings: &[
        "до начала дня", "и отметьте, что изменилось", "пока не станет легко", "когда дома тихо",
        "чтобы ничего не забыть", "раз в месяц", "даже если это займёт время",
    ],
    space: " ",
    stop: ".",
    decline: "Извините, но с этим я помочь не могу.",
};

#[rustfmt::skip]
pub(super) const CHINESE: Lists = Lists {
    openings: &[
        "先整理", "仔细看看", "写下", "比较一下", "和朋友谈谈", "留出时间准备", "重新画出", "再读一遍",
    ],
    objects: &[
        "这一周的计划", "任务中最小的部分", "需要的东西的清单", "花园里的小路", "你最喜欢的菜谱", "老城的地图", "房间的颜色", "书的第一页", "两三个例子",
    ],
    endings: &[
        "，在一天开始之前", "，看看有什么变化", "，直到觉得容易", "，这样就不会忘记什么", "，每个月一次", "，慢慢来也没关系", "，剩下的明天再做",
    ],
    space: "",
    stop: "。",
    decline: "对不起，这个我帮不了你。",
};

#[rustfmt::skip]
pub(super) const JAPANESE: Lists = Lists {
    openings: &[
        "まずは", "もう一度", "ゆっくりと", "友だちと", "静かな時間に", "月に一度", "朝のうちに", "できる範囲で",
    ],
    objects: &[
        "一週間の計画を", "作業のいちばん小さな部分を", "必要なものの一覧を", "庭の小道を", "好きな料理の作り方を", "古い町の地図を", "部屋の色を", "本の最初のページを",
        "二つか三つの例を",
    ],
    endings: &[
        "見直してください", "書き留めてください", "比べてみましょう", "整理しておきましょう", "描いてみてください", "話し合ってみましょう", "確かめてください",
    ],
    space: "",
    stop: "。",
    decline: "申し訳ありませんが、それについてはお手伝いできません。",
};

#[rustfmt::skip]
pub(super) const KOREAN: Lists = Lists {
    openings: &[
        "먼저", "다시 한번", "천천히", "친구와 함께", "조용한 시간에", "한 달에 한 번", "아침에", "할 수 있는 만큼",
    ],
    objects: &[
        "한 주의 계획을", "일의 가장 작은 부분을", "필요한 것의 목록을", "정원의 작은 길을", "좋아하는 요리법을", "옛 시가지의 지도를", "방의 색을",
        "책의 첫 쪽을",
    ],
    endings: &[
        "살펴보세요", "적어 두세요", "비교해 보세요", "정리해 두세요", "그려 보세요", "이야기해 보세요",
    ],
    space: " ",
    stop: ".",
    decline: "죄송하지만 그것은 도와드릴 수 없습니다.",
};

#[rustfmt::skip]
pub(super) const HINDI: Lists = Lists {
    openings: &[
        "सबसे पहले", "एक बार फिर", "धीरे-धीरे", "किसी मित्र के साथ", "शांत समय में", "महीने में एक बार",
        "सुबह के समय",
    ],
    objects: &[
        "सप्ताह की योजना को", "काम के सबसे छोटे हिस्से को", "ज़रूरी चीज़ों की सूची को",
        "बगीचे के रास्ते को", "अपनी पसंदीदा विधि को", "पुराने शहर के नक्शे को", "कमरे के रंगों को",
        "किताब के पहले पन्ने को",
    ],
    endings: &[
        "ध्यान से देखिए", "लिख लीजिए", "फिर से पढ़िए", "ठीक से सजा लीजिए", "किसी से समझ लीजिए",
        "आराम से परखिए",
    ],
    space: " ",
    stop: "।",
    decline: "माफ़ कीजिए, मैं इसमें मदद नहीं कर सकता।",
};

#[rustfmt::skip]
pub(super) const ARABIC: Lists = Lists {
    openings: &[
        "ابدأ بمراجعة", "انظر عن قرب إلى", "اكتب", "قارن", "خصص وقتا من أجل", "ارسم", "تحدث مع صديق عن",
        "عد إلى",
    ],
    objects: &[
        "خطة الأسبوع", "أصغر جزء من المهمة", "قائمة ما تحتاج إليه", "طريق الحديقة", "وصفتك المفضلة",
        "خريطة المدينة القديمة", "ألوان الغرفة", "الصفحة الأولى من الكتاب",
    ],
    endings: &[
        "قبل أن يبدأ اليوم", "ولاحظ ما يتغير", "حتى يصبح الأمر سهلا", "حين يكون البيت هادئا",
        "كي لا ينسى شيء", "مرة في الشهر", "حتى لو احتاج ذلك إلى وقت",
    ],
    space: " ",
    stop: ".",
    decline: "عذرا، لا أستطيع المساعدة في ذلك.",
};
