//! What can be set, and where the numbers come from.

/// Where in a tool's declaration a word stands. The order is the order of importance in explanations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Field {
    /// The tool's name.
    Name,
    /// The tool's title for people.
    Title,
    /// The name of the tool's server.
    Server,
    /// What the server says of itself.
    About,
    /// What the tool does.
    Description,
    /// The names of the tool's parameters, nested ones too.
    ParameterName,
    /// The descriptions of the tool's parameters and the values that they may take.
    ParameterText,
}

impl Field {
    /// How many there are.
    pub(crate) const COUNT: usize = 7;

    /// All, in the order of declaration.
    pub(crate) const ALL: [Self; Self::COUNT] = [
        Self::Name,
        Self::Title,
        Self::Server,
        Self::About,
        Self::Description,
        Self::ParameterName,
        Self::ParameterText,
    ];

    /// Its name in explanations.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Title => "title",
            Self::Server => "server",
            Self::About => "about the server",
            Self::Description => "description",
            Self::ParameterName => "parameters",
            Self::ParameterText => "parameter descriptions",
        }
    }
}

/// How much one field counts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FieldConfig {
    /// How many occurrences in a field of weight 1 one occurrence here is worth; 0 ignores the field.
    pub weight: f32,
    /// How strongly a field longer than usual is discounted: 0 not at all, 1 in proportion to its length.
    pub b: f32,
    /// The field's usual length in words, at which nothing is discounted. BM25F takes the mean over the
    /// collection. A fixed number keeps the strength of a word in a tool independent of the other tools, so
    /// that segments can be shared between indexes; and it hardly matters which: half or twice the defaults
    /// moves the mean nDCG@10 of the development sets by less than 0.4 points of 100.
    pub usual_words: f32,
}

/// The settings of a [`KeywordRouter`](crate::KeywordRouter). The defaults were chosen on development sets
/// of public tool-retrieval benchmarks and hardly depend on any one of them.
#[derive(Clone, Debug, PartialEq)]
pub struct KeywordConfig {
    /// How soon further occurrences of a word stop counting (BM25's k1). Greater than 0.
    pub k1: f32,
    /// The fields, by [`Field`]'s order.
    pub fields: [FieldConfig; Field::COUNT],
    /// How much of the best score within its server is added to each tool's score: where one tool of a
    /// server fits, its siblings become likelier.
    pub server_prior: f32,
    /// How much two neighbouring words that stand together in a tool (`key vault` for `keyvault`) count
    /// beside the words themselves.
    pub joined: f32,
    /// How much it counts, beside the words themselves, that the query is a tool's name or title and nothing else.
    pub whole_name: f32,
    /// How much a word counts that the query says by another one, such as `delete` for `get rid of`.
    pub related: f32,
    /// The score below which a match is left out, 0..=1. At the default, most questions that no tool answers get
    /// nothing, and of the development sets' right first answers one in a thousand is lost.
    pub floor: f32,
    /// How many distinct terms of a query are looked up at most, the rarest first.
    pub max_terms: usize,
}

impl Default for KeywordConfig {
    fn default() -> Self {
        let field = |weight, b, usual_words| FieldConfig { weight, b, usual_words };
        Self {
            k1: 1.2,
            fields: [
                field(3.0, 0.7, 2.0),
                field(1.5, 0.4, 3.0),
                field(1.5, 0.4, 2.0),
                field(0.3, 0.5, 10.0),
                field(1.0, 0.85, 12.0),
                field(0.7, 0.5, 4.0),
                field(0.4, 0.5, 20.0),
            ],
            server_prior: 0.25,
            joined: 0.5,
            whole_name: 1.5,
            related: 0.7,
            floor: 0.05,
            max_terms: 64,
        }
    }
}

impl KeywordConfig {
    /// What is set for `field`.
    pub fn field(&self, field: Field) -> &FieldConfig {
        &self.fields[field as usize]
    }
}
